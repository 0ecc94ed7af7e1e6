import { flowLogFields } from '@mallee/agent-contract'
import { invalidParameterValue, missingParameter } from '@mallee/ec2-api'
import { fieldsOf } from '../store/flow-log-store.ts'

/** What a caller says of a flow log's records and of where they go. */

/** https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html */
export const defaultFlowLogFormat = [
  ...(['version', 'account-id', 'interface-id', 'srcaddr', 'dstaddr', 'srcport', 'dstport'] as const),
  ...(['protocol', 'packets', 'bytes', 'start', 'end', 'action', 'log-status'] as const),
]
  .map((name) => `\${${name}}`)
  .join(' ')

const onlyFields = /^\$\{[a-z0-9-]+\}(?: \$\{[a-z0-9-]+\})*$/

/** The format as it is kept; a field that records have not here is refused, and not left empty. */
export function flowLogFormat(given: string | undefined): string {
  if (given === undefined) return defaultFlowLogFormat
  if (!onlyFields.test(given))
    throw invalidParameterValue(
      'Invalid LogFormat: fields are given as ${field-id}, with one space between them.',
    )
  const fields = fieldsOf(given)
  const unknown = fields.filter((name) => !Object.hasOwn(flowLogFields, name))
  if (unknown.length > 0)
    throw invalidParameterValue(`Unknown fields provided: ${unknown.join(', ').slice(0, 200)}`)
  if (new Set(fields).size < fields.length)
    throw invalidParameterValue('Invalid LogFormat: a field is given more than once.')
  return given
}

/** Bucket and prefix of `arn:aws:s3:::bucket/prefix/`; a prefix that is not empty ends with a slash. */
export function flowLogDestination(arn: string | undefined): { bucket: string; prefix: string } {
  if (arn === undefined) throw missingParameter('LogDestination')
  const match = /^arn:aws[a-z-]*:s3:::([A-Za-z0-9._-]{3,255})(?:\/([\x20-\x7e]{0,500}))?$/.exec(arn)
  const prefix = match?.[2] ?? ''
  const folders = prefix.replace(/\/$/, '').split('/')
  const isPath = prefix === '' || folders.every((name) => name !== '' && name !== '.' && name !== '..')
  if (!match || !isPath)
    throw invalidParameterValue(`LogDestination: ${arn.slice(0, 100)} is not the ARN of a bucket.`)
  if (folders.includes('AWSLogs'))
    throw invalidParameterValue('LogDestination: AWSLogs is reserved and cannot be a folder of the prefix.')
  return { bucket: match[1]!, prefix: prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/` }
}
