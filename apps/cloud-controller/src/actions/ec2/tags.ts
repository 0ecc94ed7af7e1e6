import { idPrefixes, isWellFormedId, type IdKind } from '@mallee/base'
import { invalidIdForTags, invalidParameterValue, reservedTagKey } from '@mallee/ec2-api'
import type { Reader } from '../../store/record.ts'
import { putTags } from '../../store/tag-store.ts'
import type { Tables, TagTable } from '../../store/tables.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { applyFilters, filterNames, type FilterFields } from '../filters.ts'
import { page } from '../pages.ts'
import { checkTag } from '../tag-specifications.ts'

type Taggable =
  | 'instance'
  | 'image'
  | 'vpc'
  | 'subnet'
  | 'security_group'
  | 'security_group_rule'
  | 'network_interface'
  | 'key_pair'
  | 'launch_template'
  | 'placement_group'
  | 'volume'
  | 'snapshot'
  | 'internet_gateway'
  | 'route_table'
  | 'network_acl'
  | 'nat_gateway'
  | 'dhcp_options'
  | 'vpc_peering'
  | 'prefix_list'
  | 'flow_log'

/** What can be tagged: the table that holds it, and the resource type that EC2 calls it. */
const taggable: Partial<Record<IdKind, { table: (Taggable & keyof Tables) | 'address'; type: string }>> = {
  instance: { table: 'instance', type: 'instance' },
  image: { table: 'image', type: 'image' },
  kernel: { table: 'image', type: 'image' },
  ramdisk: { table: 'image', type: 'image' },
  vpc: { table: 'vpc', type: 'vpc' },
  subnet: { table: 'subnet', type: 'subnet' },
  securityGroup: { table: 'security_group', type: 'security-group' },
  securityGroupRule: { table: 'security_group_rule', type: 'security-group-rule' },
  networkInterface: { table: 'network_interface', type: 'network-interface' },
  keyPair: { table: 'key_pair', type: 'key-pair' },
  launchTemplate: { table: 'launch_template', type: 'launch-template' },
  placementGroup: { table: 'placement_group', type: 'placement-group' },
  volume: { table: 'volume', type: 'volume' },
  snapshot: { table: 'snapshot', type: 'snapshot' },
  allocation: { table: 'address', type: 'elastic-ip' },
  internetGateway: { table: 'internet_gateway', type: 'internet-gateway' },
  routeTable: { table: 'route_table', type: 'route-table' },
  networkAcl: { table: 'network_acl', type: 'network-acl' },
  natGateway: { table: 'nat_gateway', type: 'natgateway' },
  dhcpOptions: { table: 'dhcp_options', type: 'dhcp-options' },
  vpcPeeringConnection: { table: 'vpc_peering', type: 'vpc-peering-connection' },
  prefixList: { table: 'prefix_list', type: 'prefix-list' },
  flowLog: { table: 'flow_log', type: 'vpc-flow-log' },
}

/** The type of each resource; one that is not the caller's is as if it did not exist. */
async function resolve(ctx: ActionContext, db: Reader, ids: readonly string[]): Promise<Map<string, string>> {
  const types = new Map<string, string>()
  for (const id of ids) {
    const kind = (Object.keys(taggable) as IdKind[]).find(
      (candidate) => isWellFormedId(candidate, id) && id.startsWith(`${idPrefixes[candidate]}-`),
    )
    const found = kind && taggable[kind]
    if (!found) throw invalidIdForTags(id)
    if (!(await isOwn(ctx, db, found.table, id))) throw invalidIdForTags(id)
    types.set(id, found.type)
  }
  return types
}

async function isOwn(
  ctx: ActionContext,
  db: Reader,
  table: Taggable | 'address',
  id: string,
): Promise<boolean> {
  const { accountId } = ctx.caller
  const row =
    table === 'address'
      ? await db
          .selectFrom('address')
          .select('public_ip')
          .where('allocation_id', '=', id)
          .where('account_id', '=', accountId)
          .executeTakeFirst()
      : await db
          .selectFrom(table)
          .select('id')
          .where('id', '=', id)
          .where('account_id', '=', accountId)
          .executeTakeFirst()
  return row !== undefined
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html */
export const createTags = defineEc2Action('CreateTags', {
  honours: ['Resources', 'Tags'],
  run(ctx, input) {
    for (const tag of input.Tags) checkTag(tag.Key ?? '', tag.Value ?? '')
    return ctx.transaction(async (tx) => {
      const types = await resolve(ctx, tx.db, input.Resources)
      await putTags(
        tx,
        [...types].flatMap(([id, type]) =>
          input.Tags.map((tag) => ({
            account_id: ctx.caller.accountId,
            resource_id: id,
            resource_type: type,
            key: tag.Key ?? '',
            value: tag.Value ?? '',
          })),
        ),
      )
      touchAll(ctx, tx, types)
      return {}
    })
  },
})

/** Without tags all of them go but AWS's own; with a value only a tag of that value. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteTags.html */
export const deleteTags = defineEc2Action('DeleteTags', {
  honours: ['Resources', 'Tags'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const types = await resolve(ctx, tx.db, input.Resources)
      for (const id of types.keys()) {
        const wanted = input.Tags ?? []
        if (wanted.length === 0)
          await tx.db
            .deleteFrom('tag')
            .where('resource_id', '=', id)
            .where('key', 'not like', 'aws:%')
            .execute()
        for (const tag of wanted) {
          if (tag.Key === undefined) throw invalidParameterValue('A tag to be deleted needs a key.')
          if (tag.Key.startsWith('aws:')) throw reservedTagKey('aws:')
          let query = tx.db.deleteFrom('tag').where('resource_id', '=', id).where('key', '=', tag.Key)
          if (tag.Value !== undefined) query = query.where('value', '=', tag.Value)
          await query.execute()
        }
      }
      touchAll(ctx, tx, types)
      return {}
    })
  },
})

/** An instance's tags are in its metadata, if its owner wants them there: its item changes with them. */
function touchAll(
  ctx: ActionContext,
  tx: { touch(...ids: string[]): void; afterCommit(callback: () => void): void },
  types: ReadonlyMap<string, string>,
): void {
  tx.touch(...types.keys())
  for (const [id, type] of types) if (type === 'instance') tx.afterCommit(() => ctx.wakes.instance(id))
}

const fields: FilterFields<TagTable> = {
  key: (row) => [row.key],
  value: (row) => [row.value],
  'resource-id': (row) => [row.resource_id],
  'resource-type': (row) => [row.resource_type],
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeTags.html */
export const describeTags = defineEc2Action('DescribeTags', {
  honours: ['Filters', 'MaxResults', 'NextToken'],
  filters: [...filterNames(fields, { tagged: false }), 'tag:KEY'],
  async run(ctx, input) {
    return ctx.read(async (db) => {
      const rows = await db
        .selectFrom('tag')
        .selectAll()
        .where('account_id', '=', ctx.caller.accountId)
        .execute()
      const found = applyFilters(rows, input.Filters, fields, (row) => [{ Key: row.key, Value: row.value }])
      const cut = page(ctx, found, input, { keyOf: (row) => `${row.resource_id} ${row.key}` })
      return {
        Tags: cut.items.map((row) => ({
          ResourceId: row.resource_id,
          ResourceType: row.resource_type as never,
          Key: row.key,
          Value: row.value,
        })),
        NextToken: cut.nextToken,
      }
    })
  },
})
