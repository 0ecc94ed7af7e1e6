import { isWellFormedId, newId } from '@mallee/base'
import {
  hasDependencies,
  invalidAssociationIdNotFound,
  invalidParameterValue,
  networkAclLimitExceeded,
} from '@mallee/ec2-api'
import { wakeVpc } from '../../store/network-reach.ts'
import { requireQuota } from '../../store/quota-store.ts'
import { readInSlices } from '../../store/read-in-slices.ts'
import type { Reader } from '../../store/record.ts'
import type { NetworkAclTable } from '../../store/routing-tables.ts'
import { deleteTagsOf, putTags, readTags } from '../../store/tag-store.ts'
import { insertNetworkAcl } from '../../store/vpc-store.ts'
import { protocolName } from '../../views/ip-protocols.ts'
import { allEntries, entryView, networkAclView, type NetworkAclRows } from '../../views/network-acl-view.ts'
import { defineEc2Action } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { ownedOf, requireOwned } from '../owned-networks.ts'
import { tagRows } from '../tag-specifications.ts'

/** It denies everything, until it has entries. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkAcl.html */
export const createNetworkAcl = defineEc2Action('CreateNetworkAcl', {
  honours: ['VpcId', 'TagSpecifications'],
  creates: ['network-acl'],
  async run(ctx, input) {
    const { accountId } = ctx.caller
    const id = await ctx.transaction(async (tx) => {
      const vpc = await requireOwned(ctx, tx.db, 'vpc', input.VpcId)
      const present = await tx.db
        .selectFrom('network_acl')
        .select('id')
        .where('vpc_id', '=', vpc.id)
        .execute()
      await requireQuota(tx.db, ctx.caller, 'network-acls-per-vpc', present.length, networkAclLimitExceeded)
      const made = await insertNetworkAcl(tx, {
        ...{ vpc, isDefault: false },
        ...{ random: ctx.random, nowMs: ctx.nowMs },
      })
      await putTags(tx, tagRows(ctx, input.TagSpecifications, 'network-acl', [made]))
      tx.touch(made)
      return made
    })
    return ctx.read(async (db) => {
      const [rows] = await readAcls(db, [await requireOwned(ctx, db, 'networkAcl', id)])
      const tags = (await readTags(db, accountId, [id])).get(id) ?? []
      return { NetworkAcl: networkAclView(rows!, tags), ClientToken: input.ClientToken }
    })
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteNetworkAcl.html */
export const deleteNetworkAcl = defineEc2Action('DeleteNetworkAcl', {
  honours: ['NetworkAclId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const acl = await requireOwned(ctx, tx.db, 'networkAcl', input.NetworkAclId)
      if (acl.is_default === 1) throw invalidParameterValue(`cannot delete default network ACL ${acl.id}`)
      const used = await tx.db
        .selectFrom('network_acl_association')
        .select('id')
        .where('acl_id', '=', acl.id)
        .executeTakeFirst()
      if (used) throw hasDependencies('networkAcl', acl.id)
      await deleteTagsOf(tx, acl.id)
      await tx.db.deleteFrom('network_acl_entry').where('acl_id', '=', acl.id).execute()
      await tx.db.deleteFrom('network_acl').where('id', '=', acl.id).execute()
      tx.touch(acl.id)
      return {}
    })
  },
})

/** A subnet always has an ACL: it is given another. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceNetworkAclAssociation.html */
export const replaceNetworkAclAssociation = defineEc2Action('ReplaceNetworkAclAssociation', {
  honours: ['AssociationId', 'NetworkAclId'],
  run(ctx, input) {
    const { AssociationId: associationId } = input
    return ctx.transaction(async (tx) => {
      const row = isWellFormedId('networkAclAssociation', associationId)
        ? await tx.db
            .selectFrom('network_acl_association')
            .selectAll()
            .where('id', '=', associationId)
            .where('account_id', '=', ctx.caller.accountId)
            .executeTakeFirst()
        : undefined
      if (!row) throw invalidAssociationIdNotFound(associationId.slice(0, 200))
      const acl = await requireOwned(ctx, tx.db, 'networkAcl', input.NetworkAclId)
      const former = await requireOwned(ctx, tx.db, 'networkAcl', row.acl_id)
      if (former.vpc_id !== acl.vpc_id)
        throw invalidParameterValue(
          `network ACL ${acl.id} and subnet ${row.subnet_id} belong to different networks`,
        )
      const id = newId('networkAclAssociation', ctx.random)
      await tx.db
        .updateTable('network_acl_association')
        .set({ id, acl_id: acl.id })
        .where('id', '=', row.id)
        .execute()
      tx.touch(acl.id, row.subnet_id)
      await wakeVpc(tx, ctx.wakes, acl.vpc_id)
      return { NewAssociationId: id }
    })
  },
})

const ofEntries =
  (read: (entry: ReturnType<typeof entryView>) => string | number | boolean | null | undefined) =>
  (rows: NetworkAclRows) =>
    allEntries(rows).map((entry) => read(entryView(entry)))

const fields: FilterFields<NetworkAclRows> = {
  'association.association-id': ({ associations }) => associations.map((row) => row.id),
  'association.network-acl-id': ({ associations }) => associations.map((row) => row.acl_id),
  'association.subnet-id': ({ associations }) => associations.map((row) => row.subnet_id),
  default: ({ acl }) => [acl.is_default === 1],
  'entry.cidr': ofEntries((entry) => entry.CidrBlock),
  'entry.egress': ofEntries((entry) => entry.Egress),
  'entry.icmp.code': ofEntries((entry) => entry.IcmpTypeCode?.Code),
  'entry.icmp.type': ofEntries((entry) => entry.IcmpTypeCode?.Type),
  'entry.ipv6-cidr': () => [],
  'entry.port-range.from': ofEntries((entry) => entry.PortRange?.From),
  'entry.port-range.to': ofEntries((entry) => entry.PortRange?.To),
  'entry.protocol': (rows) =>
    allEntries(rows).flatMap((entry) => [entry.protocol, protocolName(entry.protocol)]),
  'entry.rule-action': ofEntries((entry) => entry.RuleAction),
  'entry.rule-number': ofEntries((entry) => entry.RuleNumber),
  'network-acl-id': ({ acl }) => [acl.id],
  'owner-id': ({ acl }) => [acl.account_id],
  'vpc-id': ({ acl }) => [acl.vpc_id],
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkAcls.html */
export const describeNetworkAcls = defineEc2Action('DescribeNetworkAcls', {
  honours: ['NetworkAclIds', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(fields, { tagged: true }),
  ids: ['NetworkAclIds'],
  run(ctx, input) {
    return ctx.read(async (db) => {
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: await readAcls(db, await ownedOf(ctx, db, 'networkAcl', input.NetworkAclIds)),
        idOf: ({ acl }) => acl.id,
        fields,
        exclusiveIds: (input.NetworkAclIds?.length ?? 0) > 0,
        view: networkAclView,
      })
      return { NetworkAcls: views, NextToken: nextToken }
    })
  },
})

async function readAcls(db: Reader, acls: readonly NetworkAclTable[]): Promise<NetworkAclRows[]> {
  const ids = acls.map((acl) => acl.id)
  const entries = await readInSlices(ids, (slice) =>
    db
      .selectFrom('network_acl_entry')
      .selectAll()
      .where('acl_id', 'in', slice)
      .orderBy('is_egress')
      .orderBy('rule_number')
      .execute(),
  )
  const links = await readInSlices(ids, (slice) =>
    db.selectFrom('network_acl_association').selectAll().where('acl_id', 'in', slice).orderBy('id').execute(),
  )
  const entriesOf = Map.groupBy(entries, (row) => row.acl_id)
  const linksOf = Map.groupBy(links, (row) => row.acl_id)
  return acls.map((acl) => ({
    acl,
    entries: entriesOf.get(acl.id) ?? [],
    associations: linksOf.get(acl.id) ?? [],
  }))
}
