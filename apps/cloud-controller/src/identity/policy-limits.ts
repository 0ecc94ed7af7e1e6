import { splitQuotaPolicy } from '@mallee/iam-policy'
import type { Caller } from './caller.ts'
import { policyTextsOf, policyTextsOnce, type PolicyText } from '../store/principal-store.ts'
import type { Reader } from '../store/record.ts'
import type { QuotaName } from '../store/quota-store.ts'

/** Who claims something: limits of both must hold. */
export interface QuotaOwner {
  readonly accountId: string
  /** Empty where nobody in particular claims. */
  readonly userId: string
}

/** A further limit on what an account, or one user of it, may have: of a policy with `"Effect": "Limit"`. */
export interface PolicyLimit {
  readonly name: QuotaName
  readonly most: number
  readonly of: 'account' | 'user'
}

/**
 * Eucalyptus' quota keys by what they limit here; a key that is not among them limits nothing that this cloud counts.
 * `reference`: the Eucalyptus administrator's guide, "Quotas".
 */
export const quotaKeys: Readonly<Record<string, QuotaName>> = {
  'ec2:quota-vminstancenumber': 'instances',
  'ec2:quota-cputotalsize': 'vcpus',
  'ec2:quota-addressnumber': 'elastic-addresses',
  'ec2:quota-imagenumber': 'images',
  'ec2:quota-securitygroupnumber': 'security-groups',
  'ec2:quota-snapshotnumber': 'snapshots',
  'ec2:quota-volumenumber': 'volumes',
  'ec2:quota-volumetotalsize': 'volume-gib',
  'ec2:quota-vpcnumber': 'vpcs',
  'ec2:quota-internetgatewaynumber': 'internet-gateways',
}

/** The limits that the policies of the account and of the user state. Those of a root are its account's. */
export async function policyLimits(db: Reader, owner: QuotaOwner): Promise<readonly PolicyLimit[]> {
  const { identity, account } = isCaller(owner)
    ? await policyTextsOnce(db, owner)
    : await policyTextsOf(db, { accountId: owner.accountId, holder: null })
  return [...limitsOf(account, 'account'), ...limitsOf(identity ?? [], 'user')]
}

/** Whoever else claims, as a loop of the cloud's does, claims for the account. */
const isCaller = (owner: QuotaOwner): owner is Caller => 'principal' in owner

function limitsOf(texts: readonly PolicyText[], of: PolicyLimit['of']): PolicyLimit[] {
  return texts.flatMap(({ document }) =>
    splitQuotaPolicy(document).limits.flatMap(({ key, most }) => {
      const name = Object.hasOwn(quotaKeys, key) ? quotaKeys[key] : undefined
      return name === undefined ? [] : [{ name, most, of }]
    }),
  )
}
