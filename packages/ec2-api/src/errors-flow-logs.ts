/** EC2's errors about flow logs. Codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html */
import { AwsError } from '@mallee/aws-protocol'
import { malformedId } from './errors-ids.ts'

export function flowLogAlreadyExists(): AwsError {
  return new AwsError(
    'FlowLogAlreadyExists',
    'Error. There is an existing Flow Log with the same configuration and log destination.',
  )
}

export function flowLogsLimitExceeded(resourceId: string): AwsError {
  return new AwsError('FlowLogsLimitExceeded', `${resourceId} has as many flow logs as it may.`)
}

export function invalidFlowLogIdNotFound(ids: readonly string[]): AwsError {
  return new AwsError(
    'InvalidFlowLogId.NotFound',
    `These flow log ids in the input list are not found: [TotalCount: ${ids.length}] ${ids.join(', ')}`,
  )
}

export function invalidFlowLogIdMalformed(id: string): AwsError {
  return malformedId('InvalidFlowLogId.Malformed', id, 'fl-')
}
