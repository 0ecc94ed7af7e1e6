import { invalidParameterValue, reservedTagKey } from '@mallee/ec2-api'
import type { TagTable } from '../store/tables.ts'
import type { ActionContext } from './define-action.ts'

interface Specification {
  ResourceType?: string | undefined
  Tags?: { Key?: string | undefined; Value?: string | undefined }[] | undefined
}

/** The rows of the tags that a create call gives to its new resources of one type. */
export function tagRows(
  ctx: ActionContext,
  specifications: readonly Specification[] | undefined,
  resourceType: string,
  resourceIds: readonly string[],
): TagTable[] {
  const tags = (specifications ?? [])
    .filter((entry) => entry.ResourceType === resourceType)
    .flatMap((entry) => entry.Tags ?? [])
  for (const tag of tags) checkTag(tag.Key ?? '', tag.Value ?? '')
  return resourceIds.flatMap((id) =>
    tags.map((tag) => ({
      account_id: ctx.caller.accountId,
      resource_id: id,
      resource_type: resourceType,
      key: tag.Key ?? '',
      value: tag.Value ?? '',
    })),
  )
}

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions */
export function checkTag(key: string, value: string): void {
  if (key.length === 0) throw invalidParameterValue('Tag keys cannot be empty.')
  if ([...key].length > 127)
    throw invalidParameterValue(`Tag key exceeds the maximum length of 127 characters`)
  if ([...value].length > 255)
    throw invalidParameterValue(`Tag value exceeds the maximum length of 255 characters`)
  if (/^(aws|euca):/i.test(key)) throw reservedTagKey(key.slice(0, key.indexOf(':') + 1))
}
