import {
  invalidAvailabilityZone,
  invalidParameterCombination,
  invalidParameterValue,
  invalidSubnetIdNotFound,
  missingDefaultSubnet,
  vpcIdNotSpecified,
  type Ec2Input,
} from '@mallee/ec2-api'
import type { Reader } from '../../store/record.ts'
import type { SubnetTable } from '../../store/tables.ts'
import type { ActionContext } from '../define-action.ts'
import { resolveCards, type LaunchCard } from './launch-interfaces.ts'
import { resolveGroups } from './resolve-groups.ts'

type Input = Pick<
  Ec2Input<'RunInstances'>,
  | 'SubnetId'
  | 'SecurityGroupIds'
  | 'SecurityGroups'
  | 'Placement'
  | 'NetworkInterfaces'
  | 'AddressingType'
  | 'PrivateIpAddress'
  | 'MaxCount'
>

export interface LaunchNetwork {
  /** Null where any zone will do. */
  readonly availabilityZone: string | null
  readonly groupIds: readonly string[]
  subnetIn(zone: string): SubnetTable
  wantsPublicIp(subnet: SubnetTable): boolean
  /** The primary one first. */
  readonly cards: readonly LaunchCard[]
}

/** Subnet, groups and addresses, said either at the top or in the network interfaces, never in both. */
export async function resolveLaunchNetwork(
  ctx: ActionContext,
  db: Reader,
  input: Input,
): Promise<LaunchNetwork> {
  const specifications = specifiedInterfaces(input)
  // Terraform says an empty one beside a placement group.
  const zone = input.Placement?.AvailabilityZone || null
  if (zone !== null && !ctx.settings.availabilityZones.includes(zone)) throw invalidAvailabilityZone(zone)
  const subnets = await db
    .selectFrom('subnet')
    .selectAll()
    .where('account_id', '=', ctx.caller.accountId)
    .execute()
  const cards = await resolveCards(ctx, db, specifications, { subnets, maxCount: input.MaxCount })
  const card = specifications.length > 0 ? undefined : input
  const chosen =
    cards[0]?.subnet ??
    (card?.SubnetId === undefined ? null : subnets.find((subnet) => subnet.id === card.SubnetId))
  if (chosen === undefined) throw invalidSubnetIdNotFound([input.SubnetId!])
  if (chosen && zone !== null && chosen.availability_zone !== zone) {
    throw invalidParameterCombination(`The subnet ${chosen.id} is not in the zone ${zone}.`)
  }
  const defaults = subnets.filter((subnet) => subnet.is_default === 1)
  const vpcId = chosen?.vpc_id ?? defaults[0]?.vpc_id
  if (vpcId === undefined) throw vpcIdNotSpecified()
  if (input.AddressingType !== undefined && !['public', 'private'].includes(input.AddressingType))
    throw invalidParameterValue(
      `Value (${input.AddressingType.slice(0, 60)}) for parameter AddressingType is invalid.`,
    )
  // Eucalyptus' way of saying it; a network interface says it more precisely.
  const wished =
    specifications[0]?.AssociatePublicIpAddress ?? (input.AddressingType === 'private' ? false : undefined)
  const resolved: LaunchCard[] = []
  for (const entry of cards) {
    const said = specifications.find((one) => (one.DeviceIndex ?? 0) === entry.deviceIndex)
    const ids = said?.Groups ?? []
    resolved.push({ ...entry, groupIds: await resolveGroups(ctx, db, { vpcId, ids, names: [] }) })
  }
  const groupIds =
    resolved[0]?.groupIds ??
    (await resolveGroups(ctx, db, {
      vpcId,
      ids: input.SecurityGroupIds ?? [],
      names: input.SecurityGroups ?? [],
    }))
  return {
    availabilityZone: chosen?.availability_zone ?? zone,
    groupIds,
    cards: resolved.length > 0 ? resolved : [plainCard(input, groupIds)],
    subnetIn(name) {
      const subnet = chosen ?? defaults.find((entry) => entry.availability_zone === name)
      if (!subnet) throw missingDefaultSubnet(name)
      return subnet
    },
    // Of several interfaces none is lent a public address, and one that was there before keeps what it has.
    wantsPublicIp: (subnet) =>
      cards.length <= 1 && cards[0]?.existing == null && (wished ?? subnet.map_public_ip === 1),
  }
}

/** What a launch says at its top of the one interface that it then has. */
function plainCard(input: Pick<Input, 'PrivateIpAddress'>, groupIds: readonly string[]): LaunchCard {
  return {
    deviceIndex: 0,
    existing: null,
    subnet: null,
    groupIds,
    addresses: { PrivateIpAddress: input.PrivateIpAddress },
    description: '',
    deleteOnTermination: true,
  }
}

function specifiedInterfaces(input: Input) {
  const cards = input.NetworkInterfaces ?? []
  if (cards.length === 0) {
    if (input.PrivateIpAddress !== undefined && input.MaxCount > 1)
      throw invalidParameterCombination('Private addresses can be named for the launch of one instance only.')
    return []
  }
  if (
    input.SubnetId !== undefined ||
    input.PrivateIpAddress !== undefined ||
    (input.SecurityGroupIds?.length ?? 0) > 0 ||
    (input.SecurityGroups?.length ?? 0) > 0
  ) {
    throw invalidParameterCombination(
      'Network interfaces and an instance-level subnet ID or security groups may not be specified on the same request',
    )
  }
  return cards
}
