import { s3Error, s3NotImplemented, type S3 } from '@mallee/s3-api'
import type { Bucket } from '../index/bucket-settings.ts'

/**
 * Events go to webhooks that the administrator named in walrus' settings: a bucket's owner names one of them by the last
 * part of a topic's or queue's ARN, and never gives an address, which could be one inside the cloud.
 */
interface Target {
  readonly id: string
  /** Of the webhook in the settings. */
  readonly name: string
}

interface Configuration {
  readonly Id?: string | undefined
  readonly Events: readonly string[]
  readonly Filter?: S3.NotificationConfigurationFilter | undefined
}

/** Names of events that walrus sends. */
const sent: readonly string[] = [
  'ObjectCreated:Put',
  'ObjectCreated:Post',
  'ObjectCreated:Copy',
  'ObjectCreated:CompleteMultipartUpload',
  'ObjectRemoved:Delete',
  'ObjectRemoved:DeleteMarkerCreated',
  'ObjectTagging:Put',
  'ObjectTagging:Delete',
  'ObjectAcl:Put',
  'LifecycleExpiration:Delete',
  'LifecycleExpiration:DeleteMarkerCreated',
]
const families = new Set(sent.map((name) => `${name.split(':')[0]}:*`))

const arnOf = (configuration: Configuration): string =>
  (configuration as S3.TopicConfiguration).TopicArn ?? (configuration as S3.QueueConfiguration).QueueArn ?? ''

const nameOf = (arn: string): string | undefined =>
  /^arn:[\w-]+:(?:sns|sqs):[\w-]*:\d*:([\w-]{1,80})(?:\.fifo)?$/.exec(arn)?.[1]

const configurations = ({ TopicConfigurations, QueueConfigurations }: S3.NotificationConfiguration) => [
  ...(TopicConfigurations ?? []),
  ...(QueueConfigurations ?? []),
]

export function targetsOf(bucket: Bucket, event: string, key: string): Target[] {
  const { notification } = bucket.set
  if (!notification) return []
  return configurations(notification).flatMap((configuration) => {
    const name = nameOf(arnOf(configuration))
    const wanted = configuration.Events.some((asked) => matches(asked, event))
    return name !== undefined && wanted && fits(configuration, key)
      ? [{ id: configuration.Id ?? '', name }]
      : []
  })
}

const matches = (asked: string, event: string): boolean =>
  asked === `s3:${event}` || asked === `s3:${event.split(':')[0]}:*`

function fits({ Filter: filter }: Configuration, key: string): boolean {
  return (filter?.Key?.FilterRules ?? []).every(({ Name: name, Value: value = '' }) =>
    String(name).toLowerCase() === 'prefix' ? key.startsWith(value) : key.endsWith(value),
  )
}

/** Throws InvalidArgument for a webhook that nobody named, NotImplemented for what walrus does not send. */
export function checkNotification(asked: S3.NotificationConfiguration, known: ReadonlySet<string>): void {
  if (asked.LambdaFunctionConfigurations?.length) throw s3NotImplemented('LambdaFunctionConfigurations')
  if (asked.EventBridgeConfiguration) throw s3NotImplemented('EventBridgeConfiguration')
  for (const configuration of configurations(asked)) {
    const name = nameOf(arnOf(configuration))
    if (name === undefined || !known.has(name))
      throw s3Error('InvalidArgument', {
        message: 'Unable to validate the following destination configurations',
        details: {
          ArgumentName: arnOf(configuration).slice(0, 200),
          ArgumentValue: 'not a webhook of this cloud',
        },
      })
    const unknown = configuration.Events.find(
      (event) => !families.has(event.replace(/^s3:/, '')) && !sent.includes(event.replace(/^s3:/, '')),
    )
    if (unknown !== undefined) throw s3NotImplemented(`the event ${unknown}`)
    for (const rule of configuration.Filter?.Key?.FilterRules ?? [])
      if (!/^(?:prefix|suffix)$/i.test(rule.Name ?? ''))
        throw s3Error('InvalidArgument', { message: 'filter rule name must be either prefix or suffix' })
  }
}
