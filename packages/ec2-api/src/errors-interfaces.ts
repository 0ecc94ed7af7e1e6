/** EC2's errors about network interfaces, their attachments and their private addresses. */
import { AwsError } from '@mallee/aws-protocol'
import { malformedId, notFound } from './errors-ids.ts'

export function invalidNetworkInterfaceInUse(id: string): AwsError {
  return new AwsError('InvalidNetworkInterface.InUse', `Network interface '${id}' is currently in use.`)
}

export function invalidAttachmentIdNotFound(id: string): AwsError {
  return notFound('InvalidAttachmentID.NotFound', 'interface attachment', [id])
}

export function invalidAttachmentIdMalformed(id: string): AwsError {
  return malformedId('InvalidAttachmentID.Malformed', id, 'eni-attach-')
}

export function privateIpAddressLimitExceeded(
  message = 'The maximum number of private IP addresses for a network interface has been reached.',
): AwsError {
  return new AwsError('PrivateIpAddressLimitExceeded', message)
}
