import type { FastifyInstance, FastifyRequest } from 'fastify'
import { newUuid, type Clock } from '@mallee/base'
import type { CloudSettings } from '../settings.ts'
import type { ApiCall } from './api-call.ts'
import type { AuditLog } from './audit-log.ts'
import { idsIn, keptParameters } from './call-parameters.ts'

interface AdminAudit {
  readonly audit: Pick<AuditLog, 'keep' | 'close'>
  readonly clock: Clock
  readonly settings: CloudSettings
}

/** Every change at the administrator's door has a line, as calls of the public door have; reads have none. */
export function auditAdmin(app: FastifyInstance, deps: AdminAudit): void {
  app.addHook('onSend', async (request, reply, payload) => {
    if (request.method === 'GET' || request.method === 'HEAD') return payload
    const error = reply.statusCode < 400 ? null : errorOf(payload)
    await deps.audit.keep(callOf(deps, request, error)).catch((failed: unknown) => {
      // An error thrown here is answered by this hook once more: with a line that says so, or not at all.
      if (error === null) throw failed
    })
    return payload
  })
}

function callOf({ clock, settings }: AdminAudit, request: FastifyRequest, error: ApiCall['error']): ApiCall {
  const { body } = request
  const document = typeof body === 'object' && body !== null && !Buffer.isBuffer(body) ? body : {}
  const parameters = keptParameters({ ...document, ...(request.params as object) } as Record<string, unknown>)
  return {
    atMs: clock.now(),
    eventId: newUuid(),
    requestId: newUuid(),
    eventSource: 'admin.mallee',
    eventName: `${request.method} ${request.routeOptions.url ?? '/'}`.slice(0, 128),
    eventType: 'AwsApiCall',
    identity: { type: 'Unknown', principalId: 'admin', userName: 'admin' },
    sourceIp: '',
    userAgent: String(request.headers['user-agent'] ?? '').slice(0, 512),
    region: settings.region,
    readOnly: false,
    management: true,
    secure: false,
    error,
    parameters,
    response: null,
    resources: idsIn(parameters),
  }
}

function errorOf(payload: unknown): ApiCall['error'] {
  try {
    const { code, message } = JSON.parse(String(payload)) as { code?: string; message?: string }
    return { code: code ?? 'InternalError', message: (message ?? '').slice(0, 1024) }
  } catch {
    return { code: 'InternalError', message: '' }
  }
}
