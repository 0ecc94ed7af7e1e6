/**
 * The settings of AWS's years of change from 8 digits to 17. All ids here have 17 digits (8 are accepted on input), as on
 * AWS since the deadlines passed: every type says so, asking for it changes nothing, and asking for short ids is refused.
 */
import type { Ec2 } from '@mallee/ec2-api'
import { invalidResourceTypeUnknown, invalidTargetArnUnknown, operationNotPermitted } from '@mallee/ec2-api'
import type { Reader } from '../../store/record.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { page } from '../pages.ts'

const firstTypes = ['instance', 'reservation', 'snapshot', 'volume']
const laterTypes = [
  'bundle',
  'conversion-task',
  'customer-gateway',
  'dhcp-options',
  'elastic-ip-allocation',
  'elastic-ip-association',
  'export-task',
  'flow-log',
  'image',
  'import-task',
  'internet-gateway',
  'network-acl',
  'network-acl-association',
  'network-interface',
  'network-interface-attachment',
  'prefix-list',
  'route-table',
  'route-table-association',
  'security-group',
  'subnet',
  'subnet-cidr-block-association',
  'vpc',
  'vpc-cidr-block-association',
  'vpc-endpoint',
  'vpc-peering-connection',
  'vpn-connection',
  'vpn-gateway',
]

/** AWS's deadlines: of the first four types in 2016, of all others in 2018. */
const formats: readonly Ec2.IdFormat[] = [
  ...firstTypes.map((type) => ({ Resource: type, UseLongIds: true, Deadline: new Date('2016-12-15') })),
  ...laterTypes.map((type) => ({ Resource: type, UseLongIds: true, Deadline: new Date('2018-07-01') })),
].toSorted((a, b) => (a.Resource < b.Resource ? -1 : 1))

function formatsOf(types: readonly string[]): Ec2.IdFormat[] {
  const unknown = types.find((type) => !formats.some((format) => format.Resource === type))
  if (unknown !== undefined) throw invalidResourceTypeUnknown(unknown)
  return formats.filter((format) => types.length === 0 || types.includes(format.Resource!))
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeIdFormat.html */
export const describeIdFormat = defineEc2Action('DescribeIdFormat', {
  honours: ['Resource'],
  run: async (_ctx, input) => ({ Statuses: formatsOf(input.Resource === undefined ? [] : [input.Resource]) }),
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeIdentityIdFormat.html */
export const describeIdentityIdFormat = defineEc2Action('DescribeIdentityIdFormat', {
  honours: ['PrincipalArn', 'Resource'],
  async run(ctx, input) {
    await ctx.read((db) => requirePrincipal(ctx, db, input.PrincipalArn))
    return { Statuses: formatsOf(input.Resource === undefined ? [] : [input.Resource]) }
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAggregateIdFormat.html */
export const describeAggregateIdFormat = defineEc2Action('DescribeAggregateIdFormat', {
  honours: [],
  run: async () => ({ UseLongIdsAggregated: true, Statuses: formatsOf([]) }),
})

/**
 * The root user, and whoever has chosen: which nobody can any more.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribePrincipalIdFormat.html
 */
export const describePrincipalIdFormat = defineEc2Action('DescribePrincipalIdFormat', {
  honours: ['Resources', 'MaxResults', 'NextToken'],
  async run(ctx, input) {
    const root = {
      Arn: `arn:aws:iam::${ctx.caller.accountId}:root`,
      Statuses: formatsOf(input.Resources ?? []),
    }
    const cut = page(ctx, [root], input, { keyOf: (principal) => principal.Arn, smallest: 1 })
    return { Principals: cut.items, NextToken: cut.nextToken }
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyIdFormat.html */
export const modifyIdFormat = defineEc2Action('ModifyIdFormat', {
  honours: ['Resource', 'UseLongIds'],
  async run(_ctx, input) {
    checkChange(input)
    return {}
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyIdentityIdFormat.html */
export const modifyIdentityIdFormat = defineEc2Action('ModifyIdentityIdFormat', {
  honours: ['PrincipalArn', 'Resource', 'UseLongIds'],
  async run(ctx, input) {
    if (input.PrincipalArn !== 'all') await ctx.read((db) => requirePrincipal(ctx, db, input.PrincipalArn))
    checkChange(input)
    return {}
  },
})

/** AWS takes `all-current` for every type that is still in its opt-in period, which is none. */
function checkChange({
  Resource: type,
  UseLongIds: isLong,
}: {
  Resource: string
  UseLongIds: boolean
}): void {
  if (type !== 'all-current') formatsOf([type])
  if (!isLong)
    throw operationNotPermitted('The deadline has passed: longer IDs cannot be turned off any more.')
}

/** The account's root user or one of its users; there are no roles yet. */
async function requirePrincipal(ctx: ActionContext, db: Reader, arn: string): Promise<void> {
  const prefix = `arn:aws:iam::${ctx.caller.accountId}:`
  if (arn === `${prefix}root`) return
  const path = arn.startsWith(`${prefix}user/`) ? arn.slice(`${prefix}user/`.length) : ''
  const user = await db
    .selectFrom('user')
    .select('id')
    .where('account_id', '=', ctx.caller.accountId)
    .where('name', '=', path)
    .executeTakeFirst()
  if (!user) throw invalidTargetArnUnknown(arn)
}
