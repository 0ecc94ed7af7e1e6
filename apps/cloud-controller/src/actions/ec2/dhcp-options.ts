import { newId, parseIpv4 } from '@mallee/base'
import {
  hasDependencies,
  invalidParameterValue,
  missingParameter,
  unsupportedParameter,
  type Ec2Input,
} from '@mallee/ec2-api'
import { wakeVpc } from '../../store/network-reach.ts'
import type { DhcpOptionsTable } from '../../store/routing-tables.ts'
import { deleteTagsOf, putTags, readTags } from '../../store/tag-store.ts'
import { defineEc2Action } from '../define-action.ts'
import { describeThings, type Tag } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { ownedOf, requireOwned } from '../owned-networks.ts'
import { tagRows } from '../tag-specifications.ts'

type Configuration = Readonly<Record<string, readonly string[]>>

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateDhcpOptions.html */
export const createDhcpOptions = defineEc2Action('CreateDhcpOptions', {
  honours: ['DhcpConfigurations.Key', 'DhcpConfigurations.Values', 'TagSpecifications'],
  creates: ['dhcp-options'],
  run(ctx, input) {
    const configuration = configurationOf(input.DhcpConfigurations)
    const { accountId } = ctx.caller
    return ctx.transaction(async (tx) => {
      const row: DhcpOptionsTable = {
        id: newId('dhcpOptions', ctx.random),
        account_id: accountId,
        configuration: JSON.stringify(configuration),
        created_at: ctx.nowMs,
      }
      await tx.db.insertInto('dhcp_options').values(row).execute()
      await putTags(tx, tagRows(ctx, input.TagSpecifications, 'dhcp-options', [row.id]))
      tx.touch(row.id)
      return { DhcpOptions: optionsView(row, (await readTags(tx.db, accountId, [row.id])).get(row.id) ?? []) }
    })
  },
})

function configurationOf(given: Ec2Input<'CreateDhcpOptions'>['DhcpConfigurations']): Configuration {
  const configuration: Record<string, string[]> = {}
  for (const { Key: key, Values: values = [] } of given) {
    if (key === undefined) throw missingParameter('DhcpConfiguration.Key')
    // It is of IPv6.
    if (key === 'ipv6-address-preferred-lease-time') throw unsupportedParameter('DhcpConfiguration')
    const option = Object.hasOwn(options, key) ? options[key]! : null
    if (!option) throw invalid(key, 'dhcpOption name')
    const all = [...(configuration[key] ?? []), ...values]
    if (all.length === 0 || all.length > option.most) throw invalid(all.join(', '), key)
    for (const value of all) if (!option.takes(value)) throw invalid(value, key)
    configuration[key] = all
  }
  if (Object.keys(configuration).length === 0) throw missingParameter('DhcpConfiguration')
  return configuration
}

function invalid(value: string, parameter: string) {
  return invalidParameterValue(`Value (${value.slice(0, 60)}) for parameter ${parameter} is invalid.`)
}

const isAddress = (text: string) => parseIpv4(text) !== null
/** Labels of letters, digits and hyphens with dots between; some guests take several names with spaces between them. */
const isDomainName = (text: string) => /^[a-zA-Z0-9-]{1,63}(?:\.[a-zA-Z0-9-]{1,63})*$/.test(text)

/** What a set may say, how often, and of what form. */
const options: Readonly<Record<string, { most: number; takes: (value: string) => boolean }>> = {
  'domain-name-servers': { most: 4, takes: (value) => value === 'AmazonProvidedDNS' || isAddress(value) },
  'domain-name': { most: 1, takes: (value) => value.length <= 253 && value.split(/ +/).every(isDomainName) },
  'ntp-servers': { most: 4, takes: isAddress },
  'netbios-name-servers': { most: 4, takes: isAddress },
  'netbios-node-type': { most: 1, takes: (value) => ['1', '2', '4', '8'].includes(value) },
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteDhcpOptions.html */
export const deleteDhcpOptions = defineEc2Action('DeleteDhcpOptions', {
  honours: ['DhcpOptionsId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const row = await requireOwned(ctx, tx.db, 'dhcpOptions', input.DhcpOptionsId)
      const used = await tx.db
        .selectFrom('vpc')
        .select('id')
        .where('dhcp_options_id', '=', row.id)
        .executeTakeFirst()
      if (used) throw hasDependencies('dhcpOptions', row.id)
      await deleteTagsOf(tx, row.id)
      await tx.db.deleteFrom('dhcp_options').where('id', '=', row.id).execute()
      tx.touch(row.id)
      return {}
    })
  },
})

/** `default` takes a set away: guests are told what they were at first. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateDhcpOptions.html */
export const associateDhcpOptions = defineEc2Action('AssociateDhcpOptions', {
  honours: ['DhcpOptionsId', 'VpcId'],
  run(ctx, input) {
    const { DhcpOptionsId: given } = input
    return ctx.transaction(async (tx) => {
      const id = given === 'default' ? null : (await requireOwned(ctx, tx.db, 'dhcpOptions', given)).id
      const vpc = await requireOwned(ctx, tx.db, 'vpc', input.VpcId)
      await tx.db.updateTable('vpc').set({ dhcp_options_id: id }).where('id', '=', vpc.id).execute()
      tx.touch(vpc.id, ...(id === null ? [] : [id]))
      await wakeVpc(tx, ctx.wakes, vpc.id)
      return {}
    })
  },
})

const read = (row: DhcpOptionsTable) => JSON.parse(row.configuration) as Configuration

const fields: FilterFields<DhcpOptionsTable> = {
  'dhcp-options-id': (row) => [row.id],
  key: (row) => Object.keys(read(row)),
  'owner-id': (row) => [row.account_id],
  value: (row) => Object.values(read(row)).flat(),
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeDhcpOptions.html */
export const describeDhcpOptions = defineEc2Action('DescribeDhcpOptions', {
  honours: ['DhcpOptionsIds', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(fields, { tagged: true }),
  ids: ['DhcpOptionsIds'],
  run(ctx, input) {
    return ctx.read(async (db) => {
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: await ownedOf(ctx, db, 'dhcpOptions', input.DhcpOptionsIds),
        idOf: (row) => row.id,
        fields,
        exclusiveIds: (input.DhcpOptionsIds?.length ?? 0) > 0,
        view: optionsView,
      })
      return { DhcpOptions: views, NextToken: nextToken }
    })
  },
})

function optionsView(row: DhcpOptionsTable, tags: Tag[]) {
  return {
    DhcpOptionsId: row.id,
    OwnerId: row.account_id,
    DhcpConfigurations: Object.entries(read(row)).map(([key, values]) => ({
      Key: key,
      Values: values.map((value) => ({ Value: value })),
    })),
    Tags: tags,
  }
}
