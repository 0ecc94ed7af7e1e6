/** Runs oracle.py over one service and compares. See there for the lines that are exchanged. */
import { spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { QueryDecoder, QueryEncoder, ServiceModel } from '@mallee/aws-protocol'
import { operationNamed, parseQueryRequest } from '@mallee/aws-protocol'

export const python = '/usr/bin/python3'
const script = fileURLToPath(new URL('oracle.py', import.meta.url))

export interface Comparison {
  botocore: string
  /** operations that botocore knows and our model does not */
  unknownOperations: string[]
  decoded: number
  encoded: number
  /** members synthesised, inputs and outputs */
  members: number
  /** members for which no value could be made up that keeps to its constraints */
  omitted: Set<string>
  decodeFailures: string[]
  encodeFailures: string[]
}

/** A line from the oracle that holds a request: `form` for the query protocols, `request` for S3. */
export interface Line {
  kind: 'input' | 'output' | 'asked' | 'parsed'
  operation: string
  mode: string
  form: string
  request: { method: string; target: string; query: string; headers: Record<string, string>; body: string }
  value: unknown
  members: number
  omitted: string[]
  botocore: string
  difference: string | null
}

/** Our side of the comparison. */
export interface Codec {
  model: ServiceModel
  decode(line: Line): Record<string, unknown>
  encode(
    operation: string,
    output: Record<string, unknown>,
  ): { xml: string; status?: number; headers?: Record<string, string> }
  /** operations that are not compared in one direction */
  skipped?: { inputs: ReadonlySet<string>; outputs: ReadonlySet<string> }
}

/** The codec of a query protocol. */
export function queryCodec(model: ServiceModel, decoder: QueryDecoder, encoder: QueryEncoder): Codec {
  return {
    model,
    decode: (line) => decoder.decode(line.operation, parseQueryRequest('', line.form).parameters),
    encode: (operation, output) => ({ xml: encoder.encode({ operation, output, requestId: 'r' }) }),
  }
}

/** Debian's python3 with botocore; false, said loudly by the tests, where there is none. */
export function hasBotocore(): boolean {
  return spawnSync(python, ['-c', 'import botocore']).status === 0
}

export async function compare(codec: Codec): Promise<Comparison> {
  const { model } = codec
  const child = spawn(python, [script, model.service, model.apiVersion, 'full', 'half'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve))
  const result: Comparison = {
    botocore: '',
    unknownOperations: [],
    decoded: 0,
    encoded: 0,
    members: 0,
    omitted: new Set(),
    decodeFailures: [],
    encodeFailures: [],
  }
  child.stdin.write(`${JSON.stringify(modelFacts(model))}\n`)
  const answers: string[] = []
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text) as Line
    if (line.kind === 'asked') {
      result.botocore = line.botocore
      child.stdin.end(answers.join(''))
    } else if (line.kind === 'parsed') {
      result.encoded += 1
      if (line.difference !== null) result.encodeFailures.push(line.difference)
    } else if (operationNamed(model, line.operation)) take(line, codec, result, answers)
    else if (line.kind === 'input' && line.mode === 'full') result.unknownOperations.push(line.operation)
  }
  const status = await exited
  if (status !== 0) throw new Error(`oracle.py ended with ${status}`)
  return result
}

/** What our newer model knows beyond botocore's. */
export function modelFacts(model: ServiceModel) {
  return { required: requiredMembers(model), unions: unionNames(model) }
}

function unionNames(model: ServiceModel): string[] {
  return Object.keys(model.shapes).filter((name) => model.shapes[name]?.kind === 'union')
}

function requiredMembers(model: ServiceModel): Record<string, string[]> {
  const table: Record<string, string[]> = {}
  for (const [name, shape] of Object.entries(model.shapes)) {
    if (!('members' in shape)) continue
    const members = Object.entries(shape.members).filter(([, [, , traits]]) => traits?.required)
    if (members.length > 0) table[name] = members.map(([key]) => key)
  }
  return table
}

function take(line: Line, codec: Codec, result: Comparison, answers: string[]): void {
  const { operation, mode } = line
  if (codec.skipped?.[line.kind === 'input' ? 'inputs' : 'outputs'].has(operation)) return
  result.members += line.members
  for (const member of line.omitted) result.omitted.add(member)
  if (line.kind === 'output') {
    const output = untagged(line.value) as Record<string, unknown>
    answers.push(`${JSON.stringify({ operation, mode, ...codec.encode(operation, output) })}\n`)
    return
  }
  result.decoded += 1
  try {
    const found = difference(operation, line.value, tagged(codec.decode(line)))
    if (found !== undefined) result.decodeFailures.push(found)
  } catch (error) {
    result.decodeFailures.push(`${operation}: ${String(error)}`)
  }
}

function untagged(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(untagged)
  if (typeof value !== 'object' || value === null) return value
  if ('$date' in value) return new Date(value.$date as number)
  if ('$bytes' in value) return Buffer.from(value.$bytes as string, 'base64')
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, untagged(item)]))
}

/** Dates and bytes as the oracle writes them. */
export function tagged(value: unknown): unknown {
  if (value instanceof Date) return { $date: value.getTime() }
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') }
  if (Array.isArray(value)) return value.map(tagged)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, tagged(item)]))
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

/** The first place where two values differ. */
export function difference(path: string, want: unknown, got: unknown): string | undefined {
  if (!isObject(want) || !isObject(got)) {
    return Object.is(want, got) ? undefined : `${path}: ${JSON.stringify(want)} became ${JSON.stringify(got)}`
  }
  const wanted = new Map(Object.entries(want))
  const gotten = new Map(Object.entries(got))
  for (const key of new Set([...wanted.keys(), ...gotten.keys()])) {
    const found = difference(`${path}.${key}`, wanted.get(key), gotten.get(key))
    if (found !== undefined) return found
  }
  return undefined
}

/** One line for the test's log: what was really compared. */
export function summaryOf(result: Comparison): string {
  const omitted = result.omitted.size === 0 ? 'none' : [...result.omitted].join(', ')
  return `botocore ${result.botocore}, ${result.decoded} inputs and ${result.encoded} outputs compared, ${result.members} members, left out: ${omitted}`
}
