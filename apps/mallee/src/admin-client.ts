import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { MalleeError } from '@mallee/base'

/** Calls the administrator's API over its unix socket. */
export function adminCall<T>(
  socketPath: string,
  method: 'GET' | 'POST' | 'PUT',
  path: string,
  body?: unknown,
  timeoutMs = 10_000,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : JSON.stringify(body)
    const call = request(
      {
        socketPath,
        method,
        path,
        timeout: timeoutMs,
        headers:
          payload === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) },
      },
      (response) => {
        let said = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (said += chunk))
        response.on('end', () => {
          const answer = JSON.parse(said || 'null') as T & { code?: string; message?: string }
          if ((response.statusCode ?? 500) < 300) return resolve(answer)
          reject(
            new MalleeError({
              code: answer?.code ?? 'AdminFailed',
              publicMessage: answer?.message ?? `HTTP ${response.statusCode}`,
            }),
          )
        })
      },
    )
    call.on('timeout', () => call.destroy(new Error('the cloud controller does not answer')))
    call.on('error', (error) => {
      reject(
        new MalleeError({
          code: 'CloudAway',
          publicMessage: 'The cloud controller does not answer; ./mallee status tells more.',
          cause: error,
          retryable: true,
        }),
      )
    })
    call.end(payload)
  })
}

/** Writes what the administrator's API answers to a stream as it comes: for answers of any length. */
export function adminStream(socketPath: string, path: string, to: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: unknown, publicMessage = 'The answer of the cloud controller broke off.') =>
      reject(new MalleeError({ code: 'AdminFailed', publicMessage, cause }))
    const call = request({ socketPath, path }, (response) => {
      if ((response.statusCode ?? 500) < 300) {
        pipeline(response, to, { end: false }).then(resolve, failed)
        return
      }
      text(response).then((said) => {
        const answer = JSON.parse(said || 'null') as { message?: string } | null
        failed(null, answer?.message ?? `HTTP ${response.statusCode}`)
      }, failed)
    })
    call.on('error', (error) =>
      failed(error, 'The cloud controller does not answer; ./mallee status tells more.'),
    )
    call.end()
  })
}

export interface AgentStatus {
  readonly id: string
  readonly kind: string
  readonly name: string
  readonly availabilityZone: string
  readonly state: string
  readonly silentSinceMs: number | null
  readonly fingerprint: Record<string, unknown> | null
  readonly undeclared: readonly string[]
}

/** What the record says is on an agent. */
export interface HeldByAgent {
  readonly id: string
  readonly kind: string
  readonly name: string
  readonly silentSinceMs: number | null
  /** Whether it speaks to the cloud; told of one agent only. */
  readonly answers?: boolean
  readonly fingerprint: { readonly address?: string } | null
  readonly instances: readonly {
    readonly id: string
    readonly accountId: string
    readonly state: string
    readonly instanceType: string
  }[]
}

export interface CloudStatus {
  readonly ready: boolean
  readonly agents: readonly AgentStatus[]
  readonly region: string
  readonly availabilityZones: readonly string[]
  readonly publicPool: string
}
