/** EC2's errors about instances, capacity, images, key pairs and launching. */
import { AwsError } from '@mallee/aws-protocol'
import { malformedId, notFound } from './errors-ids.ts'

export function invalidInstanceIdNotFound(ids: readonly string[]): AwsError {
  return notFound('InvalidInstanceID.NotFound', 'instance', ids)
}

export function invalidInstanceIdMalformed(id: string): AwsError {
  return malformedId('InvalidInstanceID.Malformed', id, '')
}

export function invalidInstanceType(types: readonly string[]): AwsError {
  return new AwsError(
    'InvalidInstanceType',
    `The following supplied instance types do not exist: [${types.join(', ')}]`,
  )
}

/** RunInstances with a type that nobody knows. */
export function invalidInstanceTypeValue(type: string): AwsError {
  return new AwsError('InvalidParameterValue', `Invalid value '${type}' for InstanceType.`)
}

export function incorrectInstanceState(
  message = 'The instance is not in a state from which the requested operation can be performed.',
): AwsError {
  return new AwsError('IncorrectInstanceState', message)
}

/** The instance, its state by name, and what was asked of it. */
export function instanceNotInState(id: string, state: string): AwsError {
  return new AwsError(
    'IncorrectInstanceState',
    `The instance '${id}' is not in a state from which the requested operation can be performed: it is '${state}'.`,
  )
}

/** What only instances with a root volume can: `stopped` or `started`. */
export function unsupportedForInstanceStore(id: string, verb: string): AwsError {
  return new AwsError(
    'UnsupportedOperation',
    `The instance '${id}' does not have an 'ebs' root device type and cannot be ${verb}.`,
  )
}

/** TerminateInstances while the instance's own attribute forbids it. */
export function terminationDisabled(id: string): AwsError {
  return new AwsError(
    'OperationNotPermitted',
    `The instance '${id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.`,
  )
}

/** An attribute that can only be changed while the instance is stopped. */
export function instanceNotStopped(id: string): AwsError {
  return new AwsError('IncorrectInstanceState', `The instance '${id}' is not in the 'stopped' state.`)
}

export function invalidInstanceAttributeValue(message: string): AwsError {
  return new AwsError('InvalidInstanceAttributeValue', message)
}

export function insufficientInstanceCapacity(message: string): AwsError {
  return new AwsError('InsufficientInstanceCapacity', message, 500)
}

/** A launch repeated by its token after what it launched was terminated and forgotten (EC2's table of error codes). */
export function idempotentInstanceTerminated(): AwsError {
  return new AwsError(
    'IdempotentInstanceTerminated',
    'The request to launch an instance uses the same client token as a previous request for which the instance has been terminated.',
  )
}

export function instanceLimitExceeded(message: string): AwsError {
  return new AwsError('InstanceLimitExceeded', message)
}

export function vcpuLimitExceeded(message: string): AwsError {
  return new AwsError('VcpuLimitExceeded', message)
}

export function invalidAmiIdNotFound(ids: readonly string[]): AwsError {
  return ids.length === 1
    ? new AwsError('InvalidAMIID.NotFound', `The image id '[${ids[0]}]' does not exist`)
    : new AwsError('InvalidAMIID.NotFound', `The image ids '[${ids.join(', ')}]' do not exist`)
}

export function invalidAmiIdMalformed(id: string): AwsError {
  return malformedId('InvalidAMIID.Malformed', id, 'ami-')
}

export function invalidAmiIdUnavailable(id: string): AwsError {
  return new AwsError('InvalidAMIID.Unavailable', `The image ID '${id}' is no longer available`)
}

export function invalidAmiNameDuplicate(name: string, id: string): AwsError {
  return new AwsError('InvalidAMIName.Duplicate', `AMI name ${name} is already in use by AMI ${id}`)
}

export function invalidAmiNameMalformed(
  message = "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/' and '_'",
): AwsError {
  return new AwsError('InvalidAMIName.Malformed', message)
}

export function invalidManifest(message: string): AwsError {
  return new AwsError('InvalidManifest', message)
}

export function invalidKeyPairNotFound(names: readonly string[]): AwsError {
  return names.length === 1
    ? new AwsError('InvalidKeyPair.NotFound', `The key pair '${names[0]}' does not exist`)
    : new AwsError('InvalidKeyPair.NotFound', `The key pairs '${names.join(', ')}' do not exist`)
}

export function invalidKeyPairDuplicate(name: string): AwsError {
  return new AwsError('InvalidKeyPair.Duplicate', `The keypair already exists: '${name}'`)
}

/** Public key material that is no key, or of a kind that is not taken. */
export function invalidKeyFormat(message = 'Key is not in valid OpenSSH public key format'): AwsError {
  return new AwsError('InvalidKey.Format', message)
}

export function invalidKeyPairFormat(message: string): AwsError {
  return new AwsError('InvalidKeyPair.Format', message)
}

export function invalidUserDataMalformed(message = 'Invalid BASE64 encoding of user data.'): AwsError {
  return new AwsError('InvalidUserData.Malformed', message)
}

/** AWS answers too much user data (16 KiB before base64) with the general code. */
export function userDataTooLarge(): AwsError {
  return new AwsError('InvalidParameterValue', 'User data is limited to 16384 bytes')
}

export function invalidBlockDeviceMapping(message: string): AwsError {
  return new AwsError('InvalidBlockDeviceMapping', message)
}

export function invalidAvailabilityZone(zone: string): AwsError {
  return new AwsError('InvalidParameterValue', `Invalid availability zone: [${zone}]`)
}

export function invalidIamInstanceProfile(name: string): AwsError {
  return new AwsError(
    'InvalidParameterValue',
    `Value (${name}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name`,
  )
}

export function invalidLaunchTemplateIdNotFound(id: string): AwsError {
  return new AwsError(
    'InvalidLaunchTemplateId.NotFound',
    `The specified launch template, with template ID ${id}, does not exist.`,
  )
}
