import type { TLSSocket } from 'node:tls'
import type { DesiredItem } from '@mallee/agent-contract'
import type { Clock, Random } from '@mallee/base'
import { agentNameOf } from '@mallee/pki'
import { s3Error, type S3Address } from '@mallee/s3-api'
import type { S3Answer } from '../actions/s3-context.ts'
import { putLogObject } from '../logging/put-log-object.ts'
import type { ObjectSource } from '../objects/open-object.ts'
import type { RawRequest } from './raw-request.ts'

/** More than a node sends at once. */
const mostBytes = 32 * 1024 * 1024

export interface FlowLogPuts extends ObjectSource {
  readonly clock: Clock
  readonly random: Random
  readonly flowLogs: () => readonly DesiredItem<'flow-log'>[]
}

/**
 * What a node agent may write with its certificate and no signature: records of a flow log that covers interfaces of its
 * own, into the bucket that the flow log names, where that is of the flow log's account. Null where the request is no
 * node's, or does not write.
 */
export function putFlowLog(raw: RawRequest, address: S3Address, deps: FlowLogPuts): Promise<S3Answer> | null {
  if (raw.method !== 'PUT' || raw.headers.authorization !== undefined) return null
  const socket = raw.message.socket as TLSSocket
  const agent = socket.authorized ? agentNameOf(socket.getPeerCertificate().subjectaltname) : null
  return agent?.kind === 'node' ? put(raw, address, agent.agentId, deps) : null
}

async function put(
  raw: RawRequest,
  { bucket, key }: S3Address,
  agentId: string,
  deps: FlowLogPuts,
): Promise<S3Answer> {
  const isPlain = raw.rawQuery === '' && !Object.keys(raw.headers).some((name) => name.startsWith('x-amz-'))
  const item = isPlain && key !== undefined ? deps.flowLogs().find((each) => isKeyOf(each, key)) : undefined
  if (!item || key === undefined || item.body.bucket !== bucket || !item.body.agents.includes(agentId))
    throw s3Error('AccessDenied')
  const length = Number(raw.headers['content-length'] ?? Number.NaN)
  if (!(length <= mostBytes)) throw s3Error('EntityTooLarge')
  const chunks: Buffer[] = []
  for await (const chunk of raw.message) chunks.push(chunk as Buffer)
  const bytes = Buffer.concat(chunks)
  if (bytes.length !== length) throw s3Error('IncompleteBody')
  const kept = await putLogObject(
    deps,
    { bucket, accountId: item.body.accountId, key, contentType: 'application/x-gzip', bytes },
    { random: deps.random, nowMs: deps.clock.now() },
  )
  if (!kept) throw s3Error('AccessDenied')
  return { output: {} }
}

/** Only names that records have: nothing else of the tenant's is written over. */
function isKeyOf({ id, body }: DesiredItem<'flow-log'>, key: string): boolean {
  if (!key.startsWith(body.keyPrefix)) return false
  const match = /^\d{4}\/\d{2}\/\d{2}\/(.+)_\d{8}T\d{4}Z_[0-9a-f]{8}\.log\.gz$/.exec(
    key.slice(body.keyPrefix.length),
  )
  return match?.[1] === `${body.accountId}_vpcflowlogs_${body.region}_${id}`
}
