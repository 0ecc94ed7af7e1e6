/**
 * EC2's errors about launch templates, placement groups and id formats.
 * Codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
 */
import { AwsError } from '@mallee/aws-protocol'
import { malformedId } from './errors-ids.ts'

export function invalidLaunchTemplateIdMalformed(id: string): AwsError {
  return malformedId('InvalidLaunchTemplateId.Malformed', id, 'lt-')
}

export function invalidLaunchTemplateIdVersionNotFound(id: string, version: string): AwsError {
  return new AwsError(
    'InvalidLaunchTemplateId.VersionNotFound',
    `Could not find the specified version ${version.slice(0, 60)} for the launch template with ID ${id}.`,
  )
}

export function invalidLaunchTemplateNameAlreadyExists(): AwsError {
  return new AwsError(
    'InvalidLaunchTemplateName.AlreadyExistsException',
    'Launch template name already in use.',
  )
}

export function invalidLaunchTemplateNameMalformed(): AwsError {
  return new AwsError(
    'InvalidLaunchTemplateName.MalformedException',
    "A launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the following characters: '-', '_', '.', '/', '(', and ')'.",
  )
}

export function invalidLaunchTemplateNameNotFound(names: readonly string[]): AwsError {
  return new AwsError(
    'InvalidLaunchTemplateName.NotFoundException',
    names.length === 1
      ? `The specified launch template, with template name ${names[0]}, does not exist.`
      : `The specified launch templates, with template names ${names.join(', ')}, do not exist.`,
  )
}

export function invalidPlacementGroupUnknown(names: readonly string[]): AwsError {
  return new AwsError(
    'InvalidPlacementGroup.Unknown',
    names.length === 1
      ? `The Placement Group '${names[0]}' is unknown.`
      : `The Placement Groups '${names.join(', ')}' are unknown.`,
  )
}

export function invalidPlacementGroupDuplicate(name: string): AwsError {
  return new AwsError(
    'InvalidPlacementGroup.Duplicate',
    `The placement group '${name.slice(0, 255)}' already exists.`,
  )
}

/** Deleted while it has instances. */
export function invalidPlacementGroupInUse(name: string): AwsError {
  return new AwsError(
    'InvalidPlacementGroup.InUse',
    `The placement group '${name}' is in use and may not be deleted.`,
  )
}

/** A cluster is in one zone, and a launch names another. */
export function invalidPlacementGroupInUseElsewhere(name: string, zone: string): AwsError {
  return new AwsError(
    'InvalidPlacementGroup.InUse',
    `The placement group '${name}' is in use in another availability zone: ${zone}`,
  )
}

export function invalidPlacementGroupIdMalformed(id: string): AwsError {
  return malformedId('InvalidPlacementGroupId.Malformed', id, 'pg-')
}

export function placementGroupLimitExceeded(limit: number): AwsError {
  return new AwsError(
    'PlacementGroupLimitExceeded',
    `You have reached your limit of ${limit} placement groups.`,
  )
}

/** A resource type that the id format actions do not know. */
export function invalidResourceTypeUnknown(type: string): AwsError {
  return new AwsError(
    'InvalidResourceType.Unknown',
    `The resource type '${type.slice(0, 100)}' is not known.`,
  )
}

/** A principal that is none of the account's. */
export function invalidTargetArnUnknown(arn: string): AwsError {
  return new AwsError(
    'InvalidTargetArn.Unknown',
    `The principal '${arn.slice(0, 200)}' is not valid or does not exist.`,
  )
}
