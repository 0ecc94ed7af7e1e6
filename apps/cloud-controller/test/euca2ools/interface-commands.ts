import { walk } from './client-answers.ts'
import { command, type Step } from './command.ts'
import { keep, returnsTrue } from './kept-things.ts'

const interfacePaths = [
  ...['networkInterfaceId', 'subnetId', 'vpcId', 'availabilityZone', 'description', 'ownerId'],
  ...['status', 'macAddress', 'privateIpAddress', 'sourceDestCheck', 'groupSet[].groupId'],
  ...['privateIpAddressesSet[].privateIpAddress', 'privateIpAddressesSet[].primary'],
]

/** Of network interfaces; an instance of the caller's is there, in the default subnet of its zone. */
export const interfaceCommands = [
  command('euca-create-network-interface', {
    action: 'CreateNetworkInterface',
    // -d, -g, --secondary-private-ip-address-count
    send: (world) => ({
      SubnetId: world.thing('subnet'),
      Description: 'spare',
      'SecurityGroupId.1': world.thing('group'),
      SecondaryPrivateIpAddressCount: 1,
    }),
    lists: ['groupSet', 'privateIpAddressesSet', 'tagSet'],
    walks: interfacePaths.map((name) => `networkInterface.${name}`),
    keep: (world, answer) => {
      world.things['eni'] = walk(answer, 'networkInterface.networkInterfaceId')[0]!
    },
  }),
  command(
    'euca-assign-private-ip-addresses',
    {
      action: 'AssignPrivateIpAddresses',
      send: (world) => ({ NetworkInterfaceId: world.thing('eni'), SecondaryPrivateIpAddressCount: 1 }),
      walks: ['networkInterfaceId'],
    },
    {
      action: 'AssignPrivateIpAddresses',
      send: (world) => ({ NetworkInterfaceId: world.thing('eni'), 'PrivateIpAddress.1': '172.31.0.210' }),
      walks: ['networkInterfaceId'],
    },
  ),
  command('euca-unassign-private-ip-addresses', {
    action: 'UnassignPrivateIpAddresses',
    send: (world) => ({ NetworkInterfaceId: world.thing('eni'), 'PrivateIpAddress.1': '172.31.0.210' }),
    ...returnsTrue,
  }),
  command(
    'euca-modify-network-interface-attribute',
    ...[{ 'Description.Value': 'new' }, { 'SourceDestCheck.Value': false }].map((attribute): Step => ({
      action: 'ModifyNetworkInterfaceAttribute',
      send: (world) => ({ NetworkInterfaceId: world.thing('eni'), ...attribute }),
      ...returnsTrue,
    })),
  ),
  command('euca-describe-network-interface-attribute', {
    action: 'DescribeNetworkInterfaceAttribute',
    send: (world) => ({ NetworkInterfaceId: world.thing('eni'), Attribute: 'description' }),
    walks: ['networkInterfaceId', 'description.value'],
    shows: () => ({ 'description.value': 'new' }),
  }),
  command('euca-reset-network-interface-attribute', {
    action: 'ResetNetworkInterfaceAttribute',
    send: (world) => ({ NetworkInterfaceId: world.thing('eni'), SourceDestCheck: 'default' }),
    ...returnsTrue,
  }),
  command('euca-attach-network-interface', {
    action: 'AttachNetworkInterface',
    send: (world) => ({
      NetworkInterfaceId: world.thing('eni'),
      InstanceId: world.thing('instance'),
      DeviceIndex: 1,
    }),
    walks: ['attachmentId'],
    keep: keep('eniAttachment', 'attachmentId'),
  }),
  command('euca-detach-network-interface', {
    action: 'DetachNetworkInterface',
    // -f
    send: (world) => ({ AttachmentId: world.thing('eniAttachment'), Force: true }),
    ...returnsTrue,
  }),
  command('euca-delete-network-interface', {
    action: 'DeleteNetworkInterface',
    send: (world) => ({ NetworkInterfaceId: world.thing('eni') }),
    ...returnsTrue,
  }),
]
