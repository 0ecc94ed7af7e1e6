import { formatIpv4 } from '@mallee/base'
import { invalidInstanceIdMalformed, invalidInstanceIdNotFound } from '@mallee/ec2-api'
import { listInstances } from '../../store/instance-store.ts'
import { instanceState, privateDnsName, publicDnsName, type InstanceRows } from '../../views/instance-view.ts'
import { readInstanceRows, reservationViews } from '../../views/read-instances.ts'
import { defineEc2Action } from '../define-action.ts'
import { applyFilters, type FilterFields } from '../filters.ts'
import { page } from '../pages.ts'
import { requireIds } from '../required-ids.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html */
export const describeInstances = defineEc2Action('DescribeInstances', {
  honours: ['InstanceIds', 'Filters', 'MaxResults', 'NextToken', 'DryRun'],

  async run(ctx, input) {
    const region = ctx.settings.region
    const ids = input.InstanceIds ?? []
    return ctx.read(async (db) => {
      const found = await listInstances(db, ctx.caller.accountId, ids.length > 0 ? ids : undefined)
      if (ids.length > 0) {
        requireIds(ids, found, {
          kind: 'instance',
          idOf: (instance) => instance.id,
          malformed: invalidInstanceIdMalformed,
          missing: invalidInstanceIdNotFound,
        })
      }
      const filtering = (input.Filters?.length ?? 0) > 0
      const options = {
        idOf: (id: string) => id,
        secret: `${ctx.settings.region} DescribeInstances ${ctx.caller.accountId}`,
        exclusiveIds: ids.length > 0,
      }
      if (!filtering) {
        // The page is cut before its rows are gathered, so that a page costs the page and not the account.
        const cut = page(
          found.map((instance) => instance.id),
          input,
          options,
        )
        const wanted = new Set(cut.items)
        const rows = await readInstanceRows(
          db,
          ctx.caller.accountId,
          found.filter((instance) => wanted.has(instance.id)),
        )
        return { Reservations: reservationViews(rows, region), NextToken: cut.nextToken }
      }
      const rows = applyFilters(
        await readInstanceRows(db, ctx.caller.accountId, found),
        input.Filters,
        fields(region),
        (row) => row.tags,
      )
      const cut = page(
        rows.map((row) => row.instance.id),
        input,
        options,
      )
      const wanted = new Set(cut.items)
      return {
        Reservations: reservationViews(
          rows.filter((row) => wanted.has(row.instance.id)),
          region,
        ),
        NextToken: cut.nextToken,
      }
    })
  },
})

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
