import { malformedPolicyDocument, validationError } from '@mallee/iam-api'
import { parsePolicy, PolicySyntaxError } from '@mallee/iam-policy'
import type { Reader } from '../../store/record.ts'
import { managedDocuments } from '../../store/principal-store.ts'

/** STS's limit on the policy that is sent, in bytes. */
const maxPolicyBytes = 2048
const mostArns = 10

/** The documents that limit a session; undefined where none were given. Throws MalformedPolicyDocument. */
export async function sessionPolicies(
  db: Reader,
  accountId: string,
  given: {
    readonly Policy?: string | undefined
    readonly PolicyArns?: readonly { readonly arn?: string | undefined }[] | undefined
  },
): Promise<string[] | undefined> {
  const arns = (given.PolicyArns ?? []).flatMap(({ arn }) => (arn === undefined ? [] : [arn]))
  if (given.Policy === undefined && arns.length === 0) return undefined
  if (arns.length > mostArns)
    throw validationError(`At most ${mostArns} managed policies can limit a session.`)
  const documents = await managedDocuments(db, accountId, arns)
  const missing = arns.find((arn) => !documents.has(arn))
  if (missing !== undefined)
    throw validationError(`The policy ${missing.slice(0, 200)} does not exist or is not attachable.`)
  return [...(given.Policy === undefined ? [] : [checked(given.Policy)]), ...documents.values()]
}

function checked(document: string): string {
  try {
    parsePolicy(document, { kind: 'identity', maxBytes: maxPolicyBytes })
    return document
  } catch (error) {
    if (error instanceof PolicySyntaxError) throw malformedPolicyDocument(error.message)
    throw error
  }
}
