import {
  invalidNetworkInterfaceInUse,
  invalidParameterCombination,
  invalidParameterValue,
  invalidSubnetIdNotFound,
  missingParameter,
  type Ec2,
} from '@mallee/ec2-api'
import { attachInterface, mostInterfaces } from '../../store/interface-store.ts'
import { addPrivateAddresses, insertInterface } from '../../store/network-store.ts'
import type { Reader } from '../../store/record.ts'
import type { NetworkInterfaceTable, SubnetTable } from '../../store/tables.ts'
import type { ActionContext, ActionTransaction } from '../define-action.ts'
import { descriptionOf } from './network-interfaces.ts'
import { chooseAddresses, type AddressWish } from './private-addresses.ts'
import { requireOwnInterface } from './require-interfaces.ts'

/** One of a launch's interfaces: made with the instance, or one that is there already. */
export interface LaunchCard {
  readonly deviceIndex: number
  readonly existing: NetworkInterfaceTable | null
  /** Of one that is said to be in a subnet; the primary one of a default launch is in its zone's. */
  readonly subnet: SubnetTable | null
  readonly groupIds: readonly string[]
  readonly addresses: AddressWish
  readonly description: string
  readonly deleteOnTermination: boolean
}

type Specification = Ec2.InstanceNetworkInterfaceSpecification

/** The interfaces that a launch names, by their places; the first is the primary one. Groups are resolved by the caller. */
export async function resolveCards(
  ctx: ActionContext,
  db: Reader,
  specifications: readonly Specification[],
  options: { subnets: readonly SubnetTable[]; maxCount: number },
): Promise<Omit<LaunchCard, 'groupIds'>[]> {
  const cards: Omit<LaunchCard, 'groupIds'>[] = []
  for (const specification of specifications)
    cards.push(await resolveCard(ctx, db, specification, specifications.length, options.subnets))
  cards.sort((a, b) => a.deviceIndex - b.deviceIndex)
  const places = new Set(cards.map((card) => card.deviceIndex))
  if (places.size < cards.length)
    throw invalidParameterCombination('Two network interfaces have the same device index.')
  if (cards.length > 0 && !places.has(0))
    throw invalidParameterCombination('One network interface must have the device index 0.')
  if (cards.length > mostInterfaces)
    throw invalidParameterValue(`An instance has at most ${mostInterfaces} network interfaces.`)
  const alone = cards.some((card) => card.existing !== null || namesAddresses(card.addresses))
  if (alone && options.maxCount > 1)
    throw invalidParameterCombination(
      'Network interfaces and private addresses can be named for the launch of one instance only.',
    )
  checkTogether(cards)
  return cards
}

const namesAddresses = (wish: AddressWish) =>
  wish.PrivateIpAddress !== undefined ||
  (wish.PrivateIpAddresses ?? []).some((entry) => entry.PrivateIpAddress !== undefined)

async function resolveCard(
  ctx: ActionContext,
  db: Reader,
  said: Specification,
  count: number,
  subnets: readonly SubnetTable[],
): Promise<Omit<LaunchCard, 'groupIds'>> {
  if (said.DeviceIndex === undefined && count > 1)
    throw invalidParameterCombination('Each network interface requires a device index.')
  const deviceIndex = said.DeviceIndex ?? 0
  if (deviceIndex < 0 || deviceIndex > 15)
    throw invalidParameterValue(`Value (${deviceIndex}) for parameter deviceIndex is invalid.`)
  if (said.AssociatePublicIpAddress !== undefined && count > 1)
    throw invalidParameterCombination(
      'The associatePublicIPAddress parameter cannot be specified when launching with multiple network interfaces.',
    )
  if (said.NetworkInterfaceId !== undefined) return existingCard(ctx, db, said, deviceIndex)
  const subnet = subnets.find((candidate) => candidate.id === said.SubnetId) ?? null
  if (said.SubnetId !== undefined && subnet === null) throw invalidSubnetIdNotFound([said.SubnetId])
  if (said.SubnetId === undefined && count > 1) throw missingParameter('subnetId')
  return {
    deviceIndex,
    existing: null,
    subnet,
    addresses: said,
    description: descriptionOf(said.Description),
    deleteOnTermination: said.DeleteOnTermination ?? true,
  }
}

/** Of an interface that is there, nothing else may be said: it is what it is. */
async function existingCard(
  ctx: ActionContext,
  db: Reader,
  said: Specification,
  deviceIndex: number,
): Promise<Omit<LaunchCard, 'groupIds'>> {
  const more = [
    ['subnet ID', said.SubnetId],
    ['security group IDs', said.Groups?.length || undefined],
    ['private IP address', said.PrivateIpAddress],
    ['private IP addresses', said.PrivateIpAddresses?.length || undefined],
    ['secondary private IP address count', said.SecondaryPrivateIpAddressCount],
    ['associatePublicIPAddress', said.AssociatePublicIpAddress],
    ['deleteOnTermination', said.DeleteOnTermination || undefined],
    ['description', said.Description],
  ] as const
  const refused = more.find(([, value]) => value !== undefined)
  if (refused)
    throw invalidParameterCombination(
      `A network interface may not specify both a network interface ID and a ${refused[0]}`,
    )
  const entry = await requireOwnInterface(ctx, db, said.NetworkInterfaceId!)
  if (entry.instance_id !== null) throw invalidNetworkInterfaceInUse(entry.id)
  const subnet = await db
    .selectFrom('subnet')
    .selectAll()
    .where('id', '=', entry.subnet_id)
    .executeTakeFirstOrThrow()
  return {
    deviceIndex,
    existing: entry,
    subnet,
    addresses: {},
    description: entry.description,
    deleteOnTermination: false,
  }
}

function checkTogether(cards: readonly Omit<LaunchCard, 'groupIds'>[]): void {
  const subnets = cards.flatMap((card) => card.subnet ?? [])
  if (new Set(subnets.map((subnet) => subnet.availability_zone)).size > 1)
    throw invalidParameterCombination('All network interfaces must be in the same availability zone.')
  if (new Set(subnets.map((subnet) => subnet.vpc_id)).size > 1)
    throw invalidParameterCombination('All network interfaces must be in the same VPC.')
  const existing = cards.flatMap((card) => card.existing?.id ?? [])
  if (new Set(existing).size < existing.length)
    throw invalidParameterCombination('The same network interface is named twice.')
}

/** Whether all of a launch's instances can have their interfaces at one go. */
export const isPlain = (cards: readonly LaunchCard[]) =>
  cards.length === 1 &&
  cards[0]!.existing === null &&
  !namesAddresses(cards[0]!.addresses) &&
  (cards[0]!.addresses.SecondaryPrivateIpAddressCount ?? 0) === 0 &&
  (cards[0]!.addresses.PrivateIpAddresses ?? []).length === 0

/** Gives an instance that is just being made its interfaces; answers them, the primary one first. */
export async function plugCards(
  ctx: ActionContext,
  tx: ActionTransaction,
  options: {
    instance: { readonly id: string; readonly vpc_id: string; readonly node_id: string | null }
    cards: readonly LaunchCard[]
    primarySubnet: SubnetTable
  },
): Promise<NetworkInterfaceTable[]> {
  const { instance } = options
  const entries: NetworkInterfaceTable[] = []
  for (const card of options.cards) {
    if (card.existing !== null) {
      await attachInterface(tx, ctx.wakes, {
        entry: card.existing,
        // It begins with the interface, so nobody has to plug it in.
        instance: { ...instance, node_id: null },
        deviceIndex: card.deviceIndex,
        deleteOnTermination: card.deleteOnTermination,
        random: ctx.random,
        nowMs: ctx.nowMs,
      })
      entries.push(card.existing)
      continue
    }
    const subnet = card.subnet ?? options.primarySubnet
    const { primary, secondary } = await chooseAddresses(ctx, tx, subnet, card.addresses)
    const entry = await insertInterface(tx, {
      subnet,
      privateIp: primary,
      groupIds: card.groupIds,
      description: card.description,
      attachment: { instanceId: instance.id, deviceIndex: card.deviceIndex },
      deleteOnTermination: card.deleteOnTermination,
      random: ctx.random,
      nowMs: ctx.nowMs,
    })
    await addPrivateAddresses(tx, entry, secondary)
    entries.push(entry)
  }
  return entries
}
