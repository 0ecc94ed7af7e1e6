import { AwsError } from '@mallee/aws-protocol'
import { invalidInput, noSuchEntity, type Iam, type IamInput, type IamOutput } from '@mallee/iam-api'
import { contextKeysOf, type ContextValue, type Principal } from '@mallee/iam-policy'
import { iamArn, parseIamArn } from '../../identity/arns.ts'
import {
  accountPolicies,
  heldBoundary,
  heldPolicies,
  type HeldPolicy,
} from '../../store/identity/held-policies.ts'
import { holderNamed, type Holder, type HolderKind } from '../../store/identity/holder-store.ts'
import { tagsOf } from '../../store/identity/identity-tag-store.ts'
import type { Reader } from '../../store/record.ts'
import type { ActionContext } from '../define-action.ts'
import { markerPage, type IamActions } from './iam-action.ts'
import { contextOf, policyOf, simulator, type Simulated } from './simulation.ts'

type Asked = IamInput<'SimulateCustomPolicy'> | IamInput<'SimulatePrincipalPolicy'>

const given = (documents: readonly string[] | undefined, list: string): HeldPolicy[] =>
  (documents ?? []).map((document, at) => ({ id: `${list}.${at + 1}`, type: 'none', document }))

/** What a cloud without organisations cannot simulate is refused, and not passed over. */
function refuseUnsupported(input: Asked): void {
  const lists = ['OrderedOrganizationPolicyInputList', 'PolicyExclusionList'] as const
  const named: readonly string[] = [...lists, 'ResourceHandlingOption']
  for (const [member, value] of Object.entries(input)) {
    const isEmpty = value === undefined || (Array.isArray(value) && value.length === 0)
    if (named.includes(member) && !isEmpty)
      throw new AwsError('UnsupportedOperation', `The parameter ${member} is not supported by this cloud.`)
  }
}

interface Source {
  readonly kind: HolderKind
  readonly holder: Holder
}

/** The user, group or role of an ARN of the account. */
async function sourceOf(db: Reader, accountId: string, arn: string): Promise<Source> {
  const parsed = parseIamArn(arn)
  const kind = (['user', 'group', 'role'] as const).find((word) => word === parsed?.type)
  if (!parsed || !kind)
    throw invalidInput(`Invalid Entity Arn: ${arn} does not clearly define entity type and name.`)
  if (parsed.accountId !== accountId) throw noSuchEntity(`The entity ${arn} cannot be found.`)
  const holder = await holderNamed(db, kind, accountId, parsed.name)
  if (holder.path !== parsed.path) throw noSuchEntity(`The entity ${arn} cannot be found.`)
  return { kind, holder }
}

async function principalOf(db: Reader, { kind, holder }: Source): Promise<Principal> {
  const accountId = holder.account_id
  const tags = Object.fromEntries((await tagsOf(db, holder.id)).map(({ Key, Value }) => [Key, Value]))
  const arn = iamArn(kind, holder)
  if (kind !== 'role') return { kind: 'user', accountId, arn, userId: holder.id, userName: holder.name, tags }
  const session = `arn:aws:sts::${accountId}:assumed-role/${holder.name}/simulation`
  return {
    kind: 'role-session',
    accountId,
    arn: session,
    roleArn: arn,
    userId: `${holder.id}:simulation`,
    tags,
  }
}

/** Somebody of the account of whom nothing is known but what the context says. */
function nobody(accountId: string): Principal {
  return {
    kind: 'user',
    ...{
      accountId,
      arn: `arn:aws:iam::${accountId}:user/simulation`,
      userId: 'AIDASIMULATION',
      userName: '',
    },
  }
}

/** What the entries say of who asks takes the place of what is known: that is what they are given for. */
function asEntriesSay(principal: Principal, context: Readonly<Record<string, ContextValue>>): Principal {
  if (!('accountId' in principal)) return principal
  const tags = { ...principal.tags }
  let said: Principal = principal
  for (const [key, value] of Object.entries(context)) {
    const lower = key.toLowerCase()
    if (typeof value !== 'string') continue
    if (lower.startsWith('aws:principaltag/')) tags[key.slice('aws:PrincipalTag/'.length)] = value
    if (lower === 'aws:userid') said = { ...said, userId: value } as Principal
    if (lower === 'aws:username' && said.kind === 'user') said = { ...said, userName: value }
  }
  return { ...said, tags } as Principal
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Actions times resources: a request of a megabyte could name millions, which is more than there is memory for. */
const mostSimulations = 10_000

async function simulate(
  ctx: ActionContext,
  input: Asked,
  known: Pick<Simulated, 'identity' | 'boundary' | 'principal' | 'account'>,
): Promise<Iam.SimulatePolicyResponse> {
  const { accountId } = ctx.caller
  const context = contextOf(input.ContextEntries)
  const owner = /^arn:aws:iam::(\d{12}):/.exec(input.ResourceOwner ?? '')?.[1]
  if (input.ResourceOwner !== undefined && owner === undefined && !/^\d{12}$/.test(input.ResourceOwner))
    throw invalidInput('The ResourceOwner must be the ARN of an account.')
  const [resource] = given(input.ResourcePolicy === undefined ? [] : [input.ResourcePolicy], 'ResourcePolicy')
  const run = simulator({
    identity: known.identity,
    boundary: known.boundary,
    resource: resource ?? null,
    principal: asEntriesSay(known.principal, context),
    account: known.account,
    resourceAccountId: owner ?? input.ResourceOwner ?? accountId,
    context,
  })
  const resources = input.ResourceArns && input.ResourceArns.length > 0 ? input.ResourceArns : ['*']
  if (input.ActionNames.length * resources.length > mostSimulations)
    throw invalidInput(`A request simulates at most ${mostSimulations} actions on resources.`)
  const pairs = input.ActionNames.flatMap((action) => resources.map((arn) => ({ action, arn })))
  for (const { action } of pairs)
    if (!/^[\w-]+:\w+$/.test(action)) throw invalidInput(`Invalid action name: ${action.slice(0, 100)}`)
  const numbered = pairs.map((pair, at) => ({ ...pair, key: String(at).padStart(6, '0') }))
  const { items, rest } = markerPage(ctx, numbered, input, ({ key }) => key)
  const results: Iam.EvaluationResult[] = []
  for (const { action, arn } of items) {
    results.push(run(action, arn))
    // Policies may be long, and others are waiting.
    await nextTurn()
  }
  return { EvaluationResults: results, ...rest }
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulateCustomPolicy.html */
async function simulateCustomPolicy(
  ctx: ActionContext,
  input: IamInput<'SimulateCustomPolicy'>,
): Promise<IamOutput<'SimulateCustomPolicy'>> {
  refuseUnsupported(input)
  const { CallerArn: arn } = input
  const { accountId } = ctx.caller
  const principal =
    arn === undefined
      ? nobody(accountId)
      : await ctx.read(async (db) => principalOf(db, await sourceOf(db, accountId, arn)))
  const [boundary] = given(input.PermissionsBoundaryPolicyInputList, 'PermissionsBoundaryPolicyInputList')
  const identity = given(input.PolicyInputList, 'PolicyInputList')
  return simulate(ctx, input, { identity, account: [], boundary: boundary ?? null, principal })
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html */
async function simulatePrincipalPolicy(
  ctx: ActionContext,
  input: IamInput<'SimulatePrincipalPolicy'>,
): Promise<IamOutput<'SimulatePrincipalPolicy'>> {
  refuseUnsupported(input)
  const { accountId } = ctx.caller
  const [replaced] = given(input.PermissionsBoundaryPolicyInputList, 'PermissionsBoundaryPolicyInputList')
  const known = await ctx.read(async (db) => {
    const source = await sourceOf(db, accountId, input.PolicySourceArn)
    const asks = input.CallerArn === undefined ? source : await sourceOf(db, accountId, input.CallerArn)
    return {
      identity: [
        ...(await heldPolicies(db, source.kind, source.holder)),
        ...given(input.PolicyInputList, 'PolicyInputList'),
      ],
      account: await accountPolicies(db, accountId),
      boundary: replaced ?? (source.kind === 'group' ? null : await heldBoundary(db, source.holder)),
      principal: await principalOf(db, asks),
    }
  })
  return simulate(ctx, input, known)
}

const keysOf = (documents: readonly string[]) => ({
  ContextKeyNames: contextKeysOf(documents.map((document) => policyOf({ document }))),
})

export const simulationActions = {
  SimulateCustomPolicy: simulateCustomPolicy,
  SimulatePrincipalPolicy: simulatePrincipalPolicy,
  GetContextKeysForCustomPolicy: (_ctx, input) => Promise.resolve(keysOf(input.PolicyInputList)),
  GetContextKeysForPrincipalPolicy: async (ctx, input) => {
    const { accountId } = ctx.caller
    const held = await ctx.read(async (db) => {
      const { kind, holder } = await sourceOf(db, accountId, input.PolicySourceArn)
      return heldPolicies(db, kind, holder)
    })
    return keysOf([...held.map(({ document }) => document), ...(input.PolicyInputList ?? [])])
  },
} satisfies IamActions
