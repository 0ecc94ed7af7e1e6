import {
  invalidAvailabilityZone,
  invalidGroupNotFound,
  invalidParameterCombination,
  invalidParameterValue,
  invalidSubnetIdNotFound,
  missingDefaultSubnet,
  securityGroupsPerInterfaceLimitExceeded,
  unsupportedParameter,
  vpcIdNotSpecified,
  type Ec2Input,
} from '@mallee/ec2-api'
import { quotaOf } from '../../store/quota-store.ts'
import type { Reader } from '../../store/record.ts'
import type { SubnetTable } from '../../store/tables.ts'
import type { ActionContext } from '../define-action.ts'

type Input = Pick<
  Ec2Input<'RunInstances'>,
  'SubnetId' | 'SecurityGroupIds' | 'SecurityGroups' | 'Placement' | 'NetworkInterfaces' | 'AddressingType'
>

export interface LaunchNetwork {
  /** Null where any zone will do. */
  readonly availabilityZone: string | null
  readonly groupIds: readonly string[]
  subnetIn(zone: string): SubnetTable
  wantsPublicIp(subnet: SubnetTable): boolean
}

/** Subnet, groups and public address, said either at the top or in the one network interface, never in both. */
export async function resolveLaunchNetwork(
  ctx: ActionContext,
  db: Reader,
  input: Input,
): Promise<LaunchNetwork> {
  const card = onlyInterface(input)
  const subnetId = card?.SubnetId ?? input.SubnetId
  const zone = input.Placement?.AvailabilityZone ?? null
  if (zone !== null && !ctx.settings.availabilityZones.includes(zone)) throw invalidAvailabilityZone(zone)
  const subnets = await db
    .selectFrom('subnet')
    .selectAll()
    .where('account_id', '=', ctx.caller.accountId)
    .execute()
  const chosen = subnetId === undefined ? null : subnets.find((subnet) => subnet.id === subnetId)
  if (chosen === undefined) throw invalidSubnetIdNotFound([subnetId!])
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
  const wished = card?.AssociatePublicIpAddress ?? (input.AddressingType === 'private' ? false : undefined)
  return {
    availabilityZone: chosen?.availability_zone ?? zone,
    groupIds: await resolveGroups(ctx, db, {
      vpcId,
      ids: card?.Groups ?? input.SecurityGroupIds ?? [],
      names: input.SecurityGroups ?? [],
    }),
    subnetIn(name) {
      const subnet = chosen ?? defaults.find((entry) => entry.availability_zone === name)
      if (!subnet) throw missingDefaultSubnet(name)
      return subnet
    },
    wantsPublicIp: (subnet) => wished ?? subnet.map_public_ip === 1,
  }
}

function onlyInterface(input: Input) {
  const cards = input.NetworkInterfaces ?? []
  if (cards.length === 0) return undefined
  if (cards.length > 1) throw unsupportedParameter('NetworkInterface.2')
  if (
    input.SubnetId !== undefined ||
    (input.SecurityGroupIds?.length ?? 0) > 0 ||
    (input.SecurityGroups?.length ?? 0) > 0
  ) {
    throw invalidParameterCombination(
      'Network interfaces and an instance-level subnet ID or security groups may not be specified on the same request',
    )
  }
  return cards[0]!
}

export async function resolveGroups(
  ctx: ActionContext,
  db: Reader,
  wanted: { vpcId: string; ids: readonly string[]; names: readonly string[] },
): Promise<string[]> {
  const groups = await db
    .selectFrom('security_group')
    .selectAll()
    .where('account_id', '=', ctx.caller.accountId)
    .where('vpc_id', '=', wanted.vpcId)
    .execute()
  const byId = wanted.ids.map(
    (id) => groups.find((group) => group.id === id) ?? refuse(invalidGroupNotFound(id)),
  )
  const byName = wanted.names.map(
    (name) => groups.find((group) => group.name === name) ?? refuse(invalidGroupNotFound(name, wanted.vpcId)),
  )
  const found = [...new Set([...byId, ...byName].map((group) => group.id))]
  if (found.length > (await quotaOf(db, ctx.caller.accountId, 'groups-per-interface')))
    throw securityGroupsPerInterfaceLimitExceeded()
  return found.length > 0
    ? found
    : groups.filter((group) => group.name === 'default').map((group) => group.id)
}

function refuse(error: Error): never {
  throw error
}
