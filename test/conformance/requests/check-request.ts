import { AwsError, parseQueryRequest, verifySignature, type QueryDecoder } from '@mallee/aws-protocol'
import { difference, tagged } from '../botocore/oracle.ts'
import { mutate, type Below } from './mutate.ts'

/** A request as the door has it. */
export interface WireRequest {
  readonly method: string
  readonly rawPath: string
  readonly rawQuery: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** A line of generate.py. */
export interface GeneratedRequest {
  readonly operation: string
  readonly method: string
  readonly path: string
  readonly query: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string
  /** When it arrives, milliseconds. */
  readonly now: number
  readonly keyId: string
  readonly secret: string
  readonly token: string | null
  /** What it must be decoded to. */
  readonly value?: unknown
  /** Or the codes that its parameters may be refused by. */
  readonly refused?: readonly string[]
}

export interface Checked {
  readonly mutation: string
  /** What the two sides do not agree on; empty when all is well. */
  readonly disagreements: readonly string[]
}

/** Verifies and decodes one request of botocore's, then tries one that was tampered with. */
export async function checkRequest(
  line: GeneratedRequest,
  decoder: QueryDecoder,
  below: Below,
): Promise<Checked> {
  const request: WireRequest = {
    method: line.method,
    rawPath: line.path,
    rawQuery: line.query,
    headers: asNodeHasThem(line.headers),
    body: Buffer.from(line.body),
  }
  const disagreements: string[] = []
  const verified = await outcomeOf(() => verify(request, line, line.now))
  if (verified !== undefined) disagreements.push(`not verified: ${verified}`)
  const decoded = decodeAsGiven(request, line, decoder)
  if (decoded !== undefined) disagreements.push(decoded)

  const changed = mutate(request, line.now, below)
  const outcome = await outcomeOf(() => verify(changed.request, line, changed.nowMs))
  if (outcome === undefined) disagreements.push(`accepted with ${changed.what} changed`)
  else if (outcome.startsWith('not named')) disagreements.push(`${changed.what} changed: ${outcome}`)
  return { mutation: changed.what, disagreements }
}

/** Lower case, trimmed: what node:http makes of a header line. */
function asNodeHasThem(headers: GeneratedRequest['headers']): Record<string, string> {
  return Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value.trim()]))
}

function verify(request: WireRequest, line: GeneratedRequest, nowMs: number) {
  return verifySignature(request, {
    dialect: 'ec2',
    now: new Date(nowMs),
    secretOf: (accessKeyId, token) =>
      Promise.resolve(accessKeyId === line.keyId && (token ?? null) === line.token ? line.secret : undefined),
  })
}

/** Undefined where it was accepted; what it was refused by else. */
async function outcomeOf(work: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    return error instanceof AwsError ? `${error.code} ${error.message}` : `not named: ${String(error)}`
  }
}

function decodeAsGiven(
  request: WireRequest,
  line: GeneratedRequest,
  decoder: QueryDecoder,
): string | undefined {
  let got: unknown
  try {
    const query = parseQueryRequest(request.rawQuery, request.body.toString('utf8'))
    if (query.action !== line.operation) return `the action became ${query.action}`
    got = tagged(decoder.decode(line.operation, query.parameters))
  } catch (error) {
    const code = error instanceof AwsError ? error.code : 'not named'
    return line.refused?.includes(code) ? undefined : `refused: ${code} ${String(error)}`
  }
  return line.refused
    ? `taken, though it should be refused by ${line.refused.join(' or ')}`
    : difference(line.operation, line.value, got)
}
