import { walk } from './client-answers.ts'
import { command, type Step } from './command.ts'

/** Remembers what stands at a path of the answer. */
const keep =
  (name: string, path: string): NonNullable<Step['keep']> =>
  (world, answer) =>
    void (world.things[name] = walk(answer, path)[0]!)

const returnsTrue = { walks: ['return'], shows: () => ({ return: 'true' }) } as const

/** Of what VPCs are made of: in the order in which one thing needs another. */
export const networkCommands = [
  command('euca-allocate-address', {
    action: 'AllocateAddress',
    send: () => ({ Domain: 'vpc' }),
    walks: ['publicIp', 'domain', 'allocationId'],
    keep: (world, answer) => {
      world.things['address'] = walk(answer, 'publicIp')[0]!
      world.things['allocation'] = walk(answer, 'allocationId')[0]!
    },
  }),
  command(
    'euca-associate-address',
    {
      action: 'AssociateAddress',
      send: (world) => ({ InstanceId: world.thing('instance'), PublicIp: world.thing('address') }),
      walks: ['associationId'],
    },
    {
      action: 'AssociateAddress',
      // -a eipalloc-… --allow-reassociation
      send: (world) => ({
        InstanceId: world.thing('instance'),
        AllocationId: world.thing('allocation'),
        AllowReassociation: true,
      }),
      walks: ['associationId'],
      keep: keep('addressAssociation', 'associationId'),
    },
  ),
  command('euca-describe-addresses with one', {
    action: 'DescribeAddresses',
    lists: ['addressesSet'],
    walks: [
      ...['publicIp', 'instanceId', 'domain', 'allocationId'],
      ...['associationId', 'networkInterfaceId', 'privateIpAddress'],
    ].map((name) => `addressesSet[].${name}`),
    shows: (world) => ({ 'addressesSet[].publicIp': world.thing('address') }),
  }),
  command(
    'euca-disassociate-address',
    {
      action: 'DisassociateAddress',
      send: (world) => ({ AssociationId: world.thing('addressAssociation') }),
      ...returnsTrue,
    },
    {
      action: 'DisassociateAddress',
      send: (world) => ({ PublicIp: world.thing('address') }),
      ...returnsTrue,
    },
  ),
  command('euca-release-address', {
    action: 'ReleaseAddress',
    send: (world) => ({ PublicIp: world.thing('address') }),
    ...returnsTrue,
  }),
]
