import type { Tx } from '../record.ts'

/**
 * Trust is in a user or a role and not in its name: whoever gets the name of one that was deleted or renamed must not be
 * trusted for it. What trust policies say of `arn` becomes `now`, the new ARN, or the unique id of what is gone, as AWS
 * shows it. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
 */
export async function replaceTrusted(tx: Tx, arn: string, now: string): Promise<void> {
  const roles = await tx.db
    .selectFrom('iam_role')
    .select(['id', 'trust_policy'])
    // What has a backslash may say it with escapes; one of the last two finds it, as the database escapes its patterns.
    .where((where) =>
      where.or([`%${arn}%`, '%\\%', '%\\\\%'].map((pattern) => where('trust_policy', 'like', pattern))),
    )
    .execute()
  for (const { id, trust_policy: before } of roles) {
    const after = withPrincipal(before, arn, now)
    if (after !== before)
      await tx.db.updateTable('iam_role').set({ trust_policy: after }).where('id', '=', id).execute()
  }
}

interface Document {
  readonly Statement: object | readonly object[]
}

/** The same text where the policy does not name it. */
function withPrincipal(text: string, arn: string, now: string): string {
  const document = JSON.parse(text) as Document
  let found = false
  const replaced = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(replaced)
    if (value !== arn) return value
    found = true
    return now
  }
  const inElement = (element: unknown) =>
    typeof element === 'object' && element !== null && 'AWS' in element
      ? { ...element, AWS: replaced(element.AWS) }
      : element
  const inStatement = (statement: object) =>
    Object.fromEntries(
      Object.entries(statement).map(([name, value]) =>
        name === 'Principal' || name === 'NotPrincipal' ? [name, inElement(value)] : [name, value],
      ),
    )
  const { Statement: said } = document
  const Statement = Array.isArray(said) ? said.map(inStatement) : inStatement(said)
  return found ? JSON.stringify({ ...document, Statement }) : text
}
