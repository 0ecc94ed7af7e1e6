import { newId } from '@mallee/base'
import {
  bundlingInProgress,
  incorrectInstanceState,
  invalidBundleIdNotFound,
  invalidParameterValue,
  missingParameter,
  type Ec2Input,
} from '@mallee/ec2-api'
import { isOpen, moveBundleTask, openBundleTask, sealUploadSignature } from '../../store/bundle-task-store.ts'
import { currentDomain } from '../../store/instance-store.ts'
import type { BundleTaskTable } from '../../store/tables.ts'
import { defineEc2Action } from '../define-action.ts'
import { applyFilters, filterNames, type FilterFields } from '../filters.ts'
import { requireInstances } from '../require-instances.ts'

/**
 * Shuts an instance down, bundles its disk on its node and uploads that with the policy that its owner signed, then starts
 * it again. What was bundled is registered by its manifest, `BUCKET/PREFIX.manifest.xml`.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_BundleInstance.html
 */
export const bundleInstance = defineEc2Action('BundleInstance', {
  honours: [
    'InstanceId',
    'Storage.S3.AWSAccessKeyId',
    'Storage.S3.Bucket',
    'Storage.S3.Prefix',
    'Storage.S3.UploadPolicy',
    'Storage.S3.UploadPolicySignature',
  ],
  run(ctx, input) {
    const place = storageOf(input)
    return ctx.transaction(async (tx) => {
      const [instance] = await requireInstances(ctx, tx.db, [input.InstanceId])
      if (instance!.root_device_type === 'ebs')
        throw invalidParameterValue(
          `The instance '${instance!.id}' boots from a volume: CreateImage makes an image of it.`,
        )
      const present = await openBundleTask(tx.db, instance!.id)
      if (present) throw bundlingInProgress(present.id)
      const domain = await currentDomain(tx.db, instance!)
      if (instance!.state !== 'running' || domain?.observed_state !== 'running')
        throw incorrectInstanceState(`The instance '${instance!.id}' is not running.`)
      const { signature, ...rest } = place
      const task: BundleTaskTable = {
        ...rest,
        ...{
          id: newId('bundleTask', ctx.random),
          account_id: instance!.account_id,
          instance_id: instance!.id,
        },
        sealed_signature: sealUploadSignature(ctx.keyring, signature),
        ...{ phase: 'waiting-for-shutdown', progress: 0, error_code: null, error_message: null },
        ...{ started_at: ctx.nowMs, updated_at: ctx.nowMs },
      }
      await tx.db.insertInto('bundle_task').values(task).execute()
      tx.touch(task.id, instance!.id)
      tx.afterCommit(() => ctx.wakes.bundle(task.id))
      return { BundleTask: taskView(task) }
    })
  },
})

/** Throws MissingParameter and InvalidParameterValue. */
function storageOf({ Storage: storage }: Ec2Input<'BundleInstance'>) {
  const s3 = storage.S3
  const given = (name: 'Bucket' | 'Prefix' | 'AWSAccessKeyId' | 'UploadPolicySignature'): string => {
    const value = s3?.[name]
    if (value === undefined || value === '') throw missingParameter(`Storage.S3.${name}`)
    return value
  }
  const bucket = given('Bucket')
  const prefix = given('Prefix')
  if (!/^[a-z0-9.-]{3,63}$/i.test(bucket)) throw wrong('Bucket', bucket)
  if (prefix.length > 900 || prefix.endsWith('/')) throw wrong('Prefix', prefix)
  const policy = s3?.UploadPolicy
  if (policy === undefined || policy.length === 0) throw missingParameter('Storage.S3.UploadPolicy')
  if (!isObject(policy)) throw wrong('UploadPolicy', 'that is given')
  return {
    ...{ bucket, prefix, access_key_id: given('AWSAccessKeyId') },
    // What was signed is its Base64, as forms have it.
    upload_policy: Buffer.from(policy).toString('base64'),
    signature: given('UploadPolicySignature'),
  }
}

const wrong = (name: string, value: string) =>
  invalidParameterValue(`Value (${value.slice(0, 100)}) for parameter Storage.S3.${name} is invalid.`)

function isObject(bytes: Uint8Array): boolean {
  try {
    const found: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    return typeof found === 'object' && found !== null && !Array.isArray(found) && bytes.length < 20_000
  } catch {
    return false
  }
}

/** The states of EC2: a task that was cancelled has failed. */
const stateOf = ({ phase }: BundleTaskTable) => (phase === 'cancelled' ? 'failed' : phase)

function taskView(task: BundleTaskTable) {
  return {
    ...{ BundleId: task.id, InstanceId: task.instance_id, State: stateOf(task) },
    ...{ StartTime: new Date(task.started_at), UpdateTime: new Date(task.updated_at) },
    Progress: `${task.progress}%`,
    Storage: { S3: { Bucket: task.bucket, Prefix: task.prefix } },
    ...(task.error_code === null
      ? {}
      : { BundleTaskError: { Code: task.error_code, Message: task.error_message ?? '' } }),
  }
}

const isoOf = (ms: number) => new Date(ms).toISOString()

const fields: FilterFields<BundleTaskTable> = {
  'bundle-id': (task) => [task.id],
  'error-code': (task) => [task.error_code],
  'error-message': (task) => [task.error_message],
  'instance-id': (task) => [task.instance_id],
  progress: (task) => [`${task.progress}%`],
  's3-bucket': (task) => [task.bucket],
  's3-prefix': (task) => [task.prefix],
  'start-time': (task) => [isoOf(task.started_at)],
  state: (task) => [stateOf(task)],
  'update-time': (task) => [isoOf(task.updated_at)],
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeBundleTasks.html */
export const describeBundleTasks = defineEc2Action('DescribeBundleTasks', {
  honours: ['BundleIds', 'Filters'],
  filters: filterNames(fields, { tagged: false }),
  async run(ctx, input) {
    const ids = input.BundleIds ?? []
    return ctx.read(async (db) => {
      let query = db.selectFrom('bundle_task').selectAll().where('account_id', '=', ctx.caller.accountId)
      if (ids.length > 0) query = query.where('id', 'in', ids)
      const found = await query.orderBy('started_at').orderBy('id').execute()
      const missing = ids.filter((id) => !found.some((task) => task.id === id))
      if (missing.length > 0) throw invalidBundleIdNotFound(missing)
      return { BundleTasks: applyFilters(found, input.Filters, fields).map(taskView) }
    })
  },
})

/** The instance is started again; what was uploaded stays in its bucket. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CancelBundleTask.html */
export const cancelBundleTask = defineEc2Action('CancelBundleTask', {
  honours: ['BundleId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const task = await tx.db
        .selectFrom('bundle_task')
        .selectAll()
        .where('id', '=', input.BundleId)
        .where('account_id', '=', ctx.caller.accountId)
        .executeTakeFirst()
      // Of one that is over there is nothing to cancel.
      if (!task || !isOpen(task)) throw invalidBundleIdNotFound([input.BundleId])
      const changes = {
        phase: 'cancelled',
        error_code: 'Client.Cancelled',
        error_message: 'The task was cancelled.',
      } as const
      await moveBundleTask(tx, task, changes, ctx.nowMs)
      tx.touch(task.id, task.instance_id)
      tx.afterCommit(() => ctx.wakes.bundle(task.id))
      return {
        BundleTask: { ...taskView({ ...task, ...changes, updated_at: ctx.nowMs }), State: 'cancelling' },
      }
    })
  },
})
