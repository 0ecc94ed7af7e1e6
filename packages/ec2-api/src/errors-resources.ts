/** EC2's errors about zones, regions, tags, volumes and snapshots. */
import { AwsError } from '@mallee/aws-protocol'
import { malformedId, notFound } from './errors-ids.ts'

export function invalidZoneNotFound(names: readonly string[]): AwsError {
  const list = names.map((name) => `'${name}'`).join(', ')
  return new AwsError('InvalidParameterValue', `Invalid availability zones: [${list}]`)
}

export function invalidRegionNotFound(names: readonly string[]): AwsError {
  const list = names.map((name) => `'${name}'`).join(', ')
  return new AwsError('InvalidParameterValue', `Invalid region names: [${list}]`)
}

/** CreateTags on an id of no kind that can be tagged. */
export function invalidIdForTags(id: string): AwsError {
  return new AwsError('InvalidID', `The ID '${id.slice(0, 200)}' is not valid`)
}

export function reservedTagKey(prefix: string): AwsError {
  return new AwsError(
    'InvalidParameterValue',
    `Tag keys starting with '${prefix}' are reserved for internal use`,
  )
}

export function invalidTagKeyMalformed(
  message = 'Tag keys must be between 1 and 127 characters long.',
): AwsError {
  return new AwsError('InvalidTagKey.Malformed', message)
}

export function invalidReservationIdMalformed(id: string): AwsError {
  return malformedId('InvalidReservationID.Malformed', id, 'r-')
}

export function invalidReservationIdNotFound(ids: readonly string[]): AwsError {
  return notFound('InvalidReservationID.NotFound', 'reservation', ids)
}
