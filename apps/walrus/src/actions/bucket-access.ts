/** Who may do what with a bucket: policy, ownership of objects, Block Public Access. */
import {
  checkBucketPolicy,
  isPublic,
  parsePolicy,
  PolicySyntaxError,
  type PrincipalPattern,
} from '@mallee/iam-policy'
import { noSuchBucketPolicy, s3ConditionKeys, s3Error, s3PolicyActions } from '@mallee/s3-api'
import { maxPolicyBytes, readyPolicy } from '../access/bucket-policy.ts'
import { grantsPublic } from '../access/grants.ts'
import { setBucket } from './bucket-setting.ts'
import { defineBucketAction, type BucketContext, type S3Action } from './s3-context.ts'

const getPolicy = defineBucketAction('GetBucketPolicy', [], async ({ bucket }) => {
  if (bucket.set.policy === undefined) throw noSuchBucketPolicy(bucket.name)
  return { output: { Policy: bucket.set.policy } }
})

const putPolicy = defineBucketAction(
  'PutBucketPolicy',
  ['Policy', 'ContentMD5', 'ChecksumAlgorithm'],
  async (context, input) => {
    const { bucket } = context
    const publicly = checkedPolicy(context, input.Policy)
    if (publicly && bucket.set.publicAccessBlock?.BlockPublicPolicy) throw s3Error('AccessDenied')
    await setBucket(context, { policy: input.Policy })
    return { output: {} }
  },
)

/** Answers whether it is public. Throws MalformedPolicy. */
function checkedPolicy(context: BucketContext, text: string): boolean {
  try {
    const policy = parsePolicy(text, { kind: 'resource', maxBytes: maxPolicyBytes })
    checkBucketPolicy(policy, context.bucket.name, {
      actions: s3PolicyActions,
      conditionKeys: s3ConditionKeys,
      principalExists: (pattern) => principalExists(context, pattern),
    })
    return isPublic(policy)
  } catch (error) {
    if (!(error instanceof PolicySyntaxError)) throw error
    throw s3Error('MalformedPolicy', { message: error.reason, cause: error })
  }
}

function principalExists({ accounts }: BucketContext, pattern: PrincipalPattern): boolean {
  if (pattern.kind === 'account') return accounts.isAccount(pattern.accountId)
  // A session or a user that comes later is known by its account alone.
  if (pattern.kind === 'arn')
    return /^arn:aws:iam::\d{12}:(?:user|role)\//.test(pattern.arn)
      ? accounts.isPrincipal(pattern.arn)
      : accounts.isAccount(pattern.accountId)
  if (pattern.kind === 'canonicalUser') return accounts.nameOf(pattern.canonicalUserId) !== undefined
  return true
}

const deletePolicy = defineBucketAction('DeleteBucketPolicy', [], async (context) => {
  await setBucket(context, { policy: undefined })
  return { output: {} }
})

const getPolicyStatus = defineBucketAction('GetBucketPolicyStatus', [], async ({ bucket }) => {
  if (bucket.set.policy === undefined) throw noSuchBucketPolicy(bucket.name)
  return { output: { PolicyStatus: { IsPublic: readyPolicy(bucket.set.policy).isPublic } } }
})

const getBlock = defineBucketAction('GetPublicAccessBlock', [], async ({ bucket }) => {
  if (!bucket.set.publicAccessBlock) throw s3Error('NoSuchPublicAccessBlockConfiguration')
  return { output: { PublicAccessBlockConfiguration: bucket.set.publicAccessBlock } }
})

const putBlock = defineBucketAction(
  'PutPublicAccessBlock',
  ['PublicAccessBlockConfiguration', 'ContentMD5', 'ChecksumAlgorithm'],
  async (context, { PublicAccessBlockConfiguration: asked }) => {
    await setBucket(context, {
      publicAccessBlock: {
        BlockPublicAcls: asked.BlockPublicAcls ?? false,
        IgnorePublicAcls: asked.IgnorePublicAcls ?? false,
        BlockPublicPolicy: asked.BlockPublicPolicy ?? false,
        RestrictPublicBuckets: asked.RestrictPublicBuckets ?? false,
      },
    })
    return { output: {} }
  },
)

const deleteBlock = defineBucketAction('DeletePublicAccessBlock', [], async (context) => {
  await setBucket(context, { publicAccessBlock: undefined })
  return { output: {} }
})

const getOwnership = defineBucketAction('GetBucketOwnershipControls', [], async ({ bucket }) => {
  if (!bucket.set.ownership) throw s3Error('OwnershipControlsNotFoundError')
  return { output: { OwnershipControls: { Rules: [{ ObjectOwnership: bucket.set.ownership }] } } }
})

const putOwnership = defineBucketAction(
  'PutBucketOwnershipControls',
  ['OwnershipControls', 'ContentMD5', 'ChecksumAlgorithm'],
  async (context, { OwnershipControls: { Rules: rules } }) => {
    const [rule] = rules
    if (!rule || rules.length > 1) throw s3Error('MalformedXML')
    await setBucket(context, (now) => {
      const grantsOthers = (now.acl ?? []).some(
        ({ grantee }) => 'uri' in grantee || grantee.id !== context.bucket.canonical_id,
      )
      if (rule.ObjectOwnership === 'BucketOwnerEnforced' && (grantsOthers || grantsPublic(now.acl ?? [])))
        throw s3Error('InvalidBucketAclWithObjectOwnership')
      return { ownership: rule.ObjectOwnership }
    })
    return { output: {} }
  },
)

const deleteOwnership = defineBucketAction('DeleteBucketOwnershipControls', [], async (context) => {
  await setBucket(context, { ownership: undefined })
  return { output: {} }
})

export const bucketAccessActions: readonly S3Action[] = [
  getPolicy,
  putPolicy,
  deletePolicy,
  getPolicyStatus,
  getBlock,
  putBlock,
  deleteBlock,
  getOwnership,
  putOwnership,
  deleteOwnership,
]
