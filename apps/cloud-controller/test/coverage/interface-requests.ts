import type { BaseRequest, CoverageWorld } from './coverage-world.ts'

const ofInterface = async (world: CoverageWorld) => ({ NetworkInterfaceId: await world.networkInterface() })

/** Of every action that has to do with network interfaces. */
export const interfaceRequests: Readonly<Record<string, BaseRequest>> = {
  AssignPrivateIpAddresses: {
    request: async (world) => ({ ...(await ofInterface(world)), SecondaryPrivateIpAddressCount: 1 }),
    others: [
      async (world) => ({ ...(await ofInterface(world)), 'PrivateIpAddress.1': world.privateAddress() }),
    ],
  },
  AttachNetworkInterface: {
    request: async (world) => ({
      ...(await ofInterface(world)),
      InstanceId: await world.runningInstance(),
      DeviceIndex: 1,
    }),
  },
  CreateNetworkInterface: {
    request: async (world) => ({ SubnetId: await world.subnet() }),
    others: [
      async (world) => ({
        SubnetId: await world.subnet(),
        'PrivateIpAddresses.1.PrivateIpAddress': world.privateAddress(),
        'PrivateIpAddresses.1.Primary': true,
      }),
      async (world) => ({ SubnetId: await world.subnet(), PrivateIpAddress: world.privateAddress() }),
    ],
  },
  DeleteNetworkInterface: { request: ofInterface },
  DescribeNetworkInterfaceAttribute: {
    request: async (world) => ({ ...(await ofInterface(world)), Attribute: 'description' }),
  },
  DetachNetworkInterface: { request: async (world) => ({ AttachmentId: await world.attachedInterface() }) },
  ModifyNetworkInterfaceAttribute: {
    request: async (world) => ({ ...(await ofInterface(world)), 'Description.Value': 'x' }),
    others: [
      async (world) => ({ ...(await ofInterface(world)), 'SourceDestCheck.Value': true }),
      async (world) => ({ ...(await ofInterface(world)), 'SecurityGroupId.1': await world.group() }),
      async (world) => {
        const attachmentId = await world.attachedInterface()
        return {
          NetworkInterfaceId: await world.interfaceOf(attachmentId),
          'Attachment.AttachmentId': attachmentId,
          'Attachment.DeleteOnTermination': true,
        }
      },
    ],
  },
  ResetNetworkInterfaceAttribute: {
    request: async (world) => ({ ...(await ofInterface(world)), SourceDestCheck: 'true' }),
  },
  UnassignPrivateIpAddresses: {
    request: async (world) => {
      const id = await world.networkInterface()
      const wish = { NetworkInterfaceId: id, SecondaryPrivateIpAddressCount: 1 }
      const made = await world.call('AssignPrivateIpAddresses', wish)
      const address = made.assignedPrivateIpAddressesSet.item[0].privateIpAddress as string
      return { NetworkInterfaceId: id, 'PrivateIpAddress.1': address }
    },
  },
}
