import { Ajv, type ValidateFunction } from 'ajv'
import { Agent, request, type Dispatcher } from 'undici'
import { MalleeError } from '@mallee/base'
import {
  agentRoutes,
  type AuditBlob,
  type AuditResponse,
  type ConsoleBlob,
  type DesiredResponse,
  type InventoryBlob,
  type RegisterRequest,
  type RegisterResponse,
  type Report,
  type ReportResponse,
  type RoleCredentials,
  type Route,
  type SamplesBlob,
  type ScreenshotBlob,
  type TrailFilesRequest,
  type TrailFilesResponse,
} from '@mallee/agent-contract'
import { cloudServerName } from '@mallee/pki'

/** How to reach the cloud and what to believe of it. */
export interface CloudAddress {
  /** `https://host:port`; the certificate's name is a constant, so any address may stand here. */
  readonly url: string
  readonly authority: string
  readonly key?: string
  readonly certificate?: string
}

const ajv = new Ajv({ allErrors: false, strict: true })
const validators = new Map<object, ValidateFunction>()
const answerMs = 15_000
const longestAnswerBytes = 64 * 1024 * 1024

/** The agents' half of the contract: every route as a typed call. Keeps its connections and TLS tickets. */
export class CloudClient {
  private dispatcher: Dispatcher
  private readonly url: string

  constructor(address: CloudAddress) {
    this.url = address.url
    this.dispatcher = dispatcherFor(address)
  }

  /** Shows a renewed certificate from the next connection on; calls under way end on the old ones. */
  renewed(address: CloudAddress): void {
    const old = this.dispatcher
    this.dispatcher = dispatcherFor(address)
    void old.close()
  }

  register(body: RegisterRequest): Promise<RegisterResponse> {
    return this.call(agentRoutes.register, { body }) as Promise<RegisterResponse>
  }

  renew(certificateRequest: string): Promise<{ certificate: string; authority: string }> {
    return this.call(agentRoutes.renew, { body: { certificateRequest } }) as Promise<{
      certificate: string
      authority: string
    }>
  }

  /** Waits until the set is newer than `revision`; null when `waitSeconds` passed without news. */
  desired(revision: number, waitSeconds: number, signal: AbortSignal): Promise<DesiredResponse | null> {
    return this.call(agentRoutes.desired, {
      query: { revision, wait: waitSeconds },
      timeoutMs: waitSeconds * 1000 + answerMs,
      signal,
    }) as Promise<DesiredResponse | null>
  }

  observed(report: Report): Promise<ReportResponse> {
    return this.call(agentRoutes.observed, { body: report }) as Promise<ReportResponse>
  }

  async console(instanceId: string, blob: ConsoleBlob): Promise<void> {
    await this.call(agentRoutes.console, { body: blob, params: { instanceId } })
  }

  async screenshot(instanceId: string, blob: ScreenshotBlob): Promise<void> {
    await this.call(agentRoutes.screenshot, { body: blob, params: { instanceId } })
  }

  async samples(blob: SamplesBlob): Promise<void> {
    await this.call(agentRoutes.samples, { body: blob })
  }

  async inventory(blob: InventoryBlob): Promise<void> {
    await this.call(agentRoutes.inventory, { body: blob })
  }

  roleCredentials(instanceId: string): Promise<RoleCredentials> {
    return this.call(agentRoutes.roleCredentials, { params: { instanceId } }) as Promise<RoleCredentials>
  }

  audit(blob: AuditBlob): Promise<AuditResponse> {
    return this.call(agentRoutes.audit, { body: blob }) as Promise<AuditResponse>
  }

  trailFiles(request: TrailFilesRequest): Promise<TrailFilesResponse> {
    return this.call(agentRoutes.trailFiles, { body: request }) as Promise<TrailFilesResponse>
  }

  async close(): Promise<void> {
    await this.dispatcher.destroy()
  }

  private async call(
    route: Route<unknown, unknown>,
    options: {
      body?: unknown
      query?: Record<string, string | number>
      params?: Record<string, string>
      timeoutMs?: number
      signal?: AbortSignal
    },
  ): Promise<unknown> {
    const path = route.path.replaceAll(/:(\w+)/g, (_all, name: string) =>
      encodeURIComponent(options.params?.[name] ?? ''),
    )
    const timeoutMs = options.timeoutMs ?? answerMs
    const response = await request(new URL(path, this.url), {
      method: route.method,
      dispatcher: this.dispatcher,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      ...(options.query ? { query: options.query } : {}),
      ...(options.signal ? { signal: options.signal } : {}),
      ...(options.body === undefined
        ? {}
        : { body: JSON.stringify(options.body), headers: { 'content-type': 'application/json' } }),
    })
    const text = await response.body.text()
    if (response.statusCode === 204) return null
    if (response.statusCode >= 300) throw refusal(response.statusCode, text)
    return route.response ? checked(route.response.json, JSON.parse(text)) : null
  }
}

function dispatcherFor(address: CloudAddress): Dispatcher {
  return new Agent({
    connect: {
      ca: address.authority,
      servername: cloudServerName,
      ...(address.key === undefined ? {} : { key: address.key }),
      ...(address.certificate === undefined ? {} : { cert: address.certificate }),
    },
    connections: 4,
    keepAliveTimeout: 60_000,
    maxResponseSize: longestAnswerBytes,
  })
}

/** The cloud's refusal as it gave it; `Unregistered` is the one that an agent must not shrug off. */
function refusal(status: number, text: string): MalleeError {
  let code = `Http${status}`
  let message = 'The cloud controller refused the call.'
  try {
    const body = JSON.parse(text) as { code?: string; message?: string }
    code = body.code ?? code
    message = body.message ?? message
  } catch {
    // Not ours: a proxy, or a port that belongs to somebody else. The status says enough.
  }
  return new MalleeError({ code, publicMessage: message, retryable: status >= 500 || status === 429 })
}

function checked(schema: object, value: unknown): unknown {
  let validate = validators.get(schema)
  if (!validate) {
    validate = ajv.compile(schema)
    validators.set(schema, validate)
  }
  if (!validate(value)) {
    throw new MalleeError({
      code: 'BadAnswer',
      publicMessage: `The cloud's answer does not fit the contract: ${ajv.errorsText(validate.errors)}`,
    })
  }
  return value
}
