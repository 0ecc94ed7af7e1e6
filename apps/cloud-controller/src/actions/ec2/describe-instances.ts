import { formatIpv4 } from '@mallee/base'
import { listInstances, listInstancesAfter } from '../../store/instance-store.ts'
import type { Reader } from '../../store/record.ts'
import type { InstanceTable } from '../../store/tables.ts'
import { instanceState, privateDnsName, publicDnsName, type InstanceRows } from '../../views/instance-view.ts'
import { readInstanceRows, reservationViews } from '../../views/read-instances.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { applyFilters, filterNames, type FilterFields } from '../filters.ts'
import { nextToken, page, pageOf, timeKey, type PageInput } from '../pages.ts'
import { requireInstances } from '../require-instances.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html */
export const describeInstances = defineEc2Action('DescribeInstances', {
  honours: ['InstanceIds', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(fields(''), { tagged: true }),
  ids: ['InstanceIds'],

  async run(ctx, input) {
    const ids = input.InstanceIds ?? []
    return ctx.read(async (db) => {
      if (ids.length === 0 && (input.Filters?.length ?? 0) === 0) return describePage(ctx, db, input)
      const found = ids.length > 0 ? await requireInstances(ctx, db, ids) : await listInstances(db, ctx.scope)
      const rows = applyFilters(
        await readInstanceRows(db, ctx.scope, found),
        input.Filters,
        fields(ctx.settings.region),
        (row) => row.tags,
      )
      const cut = page(ctx, rows, input, {
        keyOf: (row) => keyOf(row.instance),
        exclusiveIds: ids.length > 0,
      })
      return { Reservations: reservationViews(cut.items, ctx.settings.region), NextToken: cut.nextToken }
    })
  },
})

function keyOf(instance: InstanceTable): string {
  return timeKey(instance.launched_at, instance.id)
}

/** Without ids and filters the record itself cuts the page: it costs the page and not the account. */
async function describePage(ctx: ActionContext, db: Reader, input: PageInput) {
  const { after, size } = pageOf(ctx, input)
  const [launchedAt, id] = after?.split(' ') ?? []
  const found = await listInstancesAfter(db, ctx.scope, {
    after: launchedAt === undefined || id === undefined ? null : { launchedAt: Number(launchedAt), id },
    limit: size === null ? Number.MAX_SAFE_INTEGER : size + 1,
  })
  const shown = size === null ? found : found.slice(0, size)
  const rows = await readInstanceRows(db, ctx.scope, shown)
  return {
    Reservations: reservationViews(rows, ctx.settings.region),
    NextToken: shown.length < found.length ? nextToken(ctx, keyOf(shown.at(-1)!)) : undefined,
  }
}

function fields(region: string): FilterFields<InstanceRows> {
  const address = (value: number | null) => (value === null ? null : formatIpv4(value))
  return {
    architecture: (row) => [row.image?.architecture],
    'availability-zone': (row) => [row.instance.availability_zone],
    'client-token': (row) => [row.instance.client_token],
    'dns-name': (row) => row.interfaces.map((entry) => publicDnsName(region, entry.public_ip)),
    'group-id': (row) => row.interfaces.flatMap((entry) => entry.groups.map((group) => group.id)),
    'group-name': (row) => row.interfaces.flatMap((entry) => entry.groups.map((group) => group.name)),
    'instance.group-id': (row) => row.interfaces.flatMap((entry) => entry.groups.map((group) => group.id)),
    'instance.group-name': (row) =>
      row.interfaces.flatMap((entry) => entry.groups.map((group) => group.name)),
    hypervisor: () => ['xen'],
    'image-id': (row) => [row.instance.image_id],
    'instance-id': (row) => [row.instance.id],
    'instance-state-code': (row) => [instanceState(row.instance.state).Code],
    'instance-state-name': (row) => [row.instance.state],
    'instance-type': (row) => [row.instance.instance_type],
    'ip-address': (row) => row.interfaces.map((entry) => address(entry.public_ip)),
    'kernel-id': (row) => [row.instance.kernel_id],
    'key-name': (row) => [row.instance.key_name],
    'launch-index': (row) => [row.instance.launch_index],
    'launch-time': (row) => [new Date(row.instance.launched_at).toISOString()],
    'network-interface.network-interface-id': (row) => row.interfaces.map((entry) => entry.id),
    'network-interface.mac-address': (row) => row.interfaces.map((entry) => entry.mac),
    'owner-id': (row) => [row.instance.account_id],
    'private-dns-name': (row) => row.interfaces.map((entry) => privateDnsName(region, entry.private_ip)),
    'private-ip-address': (row) => row.interfaces.map((entry) => address(entry.private_ip)),
    'ramdisk-id': (row) => [row.instance.ramdisk_id],
    'reservation-id': (row) => [row.instance.reservation_id],
    'root-device-type': () => ['instance-store'],
    'source-dest-check': (row) => row.interfaces.map((entry) => entry.source_dest_check === 1),
    'state-reason-code': (row) => [row.instance.state_reason_code],
    'subnet-id': (row) => [row.instance.subnet_id],
    tenancy: () => ['default'],
    'virtualization-type': () => ['hvm'],
    'vpc-id': (row) => [row.instance.vpc_id],
  }
}
