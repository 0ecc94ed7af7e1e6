import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { systemClock, type Clock, type Log } from '@mallee/base'
import type { DomainItem, RoleCredentials } from '@mallee/agent-contract'
import { bytesOf, iamBranch, lookUp, metadataTree } from './metadata-tree.ts'
import { createSessionTokens } from './session-tokens.ts'

/**
 * The instance metadata service. Who asks is told by the source address that the node's network gave the asking
 * interface, and by nothing that the guest says. Sessions are AWS's version 2; a version 1 question is answered only
 * where the instance's options allow it.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
 */
export interface MetadataAppOptions {
  /** The interface behind a source address, by its tap. */
  readonly askerAt: (address: string) => string | null
  /** The domain item that has this interface. */
  readonly itemOf: (interfaceId: string) => DomainItem | null
  /** Of the role in an instance's profile; null while nothing was heard. */
  readonly credentialsOf: (item: DomainItem) => Promise<RoleCredentials | null>
  readonly log: Log
  readonly clock?: Pick<Clock, 'now'>
}

/** All give the same tree; the last three are what cloud-init prefers. */
export const metadataVersions = [
  '1.0',
  '2007-01-19',
  '2007-03-01',
  '2007-08-29',
  '2007-10-10',
  '2007-12-15',
  '2008-02-01',
  '2008-09-01',
  '2009-04-04',
  '2011-01-01',
  '2011-05-01',
  '2012-01-12',
  '2014-02-25',
  '2016-09-02',
  '2018-09-24',
  '2021-03-23',
  'latest',
] as const

const tokenPath = '/latest/api/token'
const tokenHeader = 'x-aws-ec2-metadata-token'
const ttlHeader = 'x-aws-ec2-metadata-token-ttl-seconds'
const ttlMaxSeconds = 21_600
const urlMaxBytes = 1_024

export function buildMetadataApp(options: MetadataAppOptions): FastifyInstance {
  const { askerAt, itemOf, log } = options
  const tokens = createSessionTokens(options.clock ?? systemClock)
  const app = Fastify({
    bodyLimit: 1_024,
    requestTimeout: 5_000,
    connectionTimeout: 10_000,
    keepAliveTimeout: 5_000,
    http: { maxHeaderSize: 8_192 },
    frameworkErrors: (error, _request, reply) => answer(reply, error.statusCode ?? 400),
  })
  // A body says nothing to us, whatever it claims to be.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, _body, done) => done(null))
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    const status = error.statusCode ?? 500
    if (status >= 500) log.error({ err: error }, 'a metadata question failed')
    return answer(reply, status)
  })
  app.setNotFoundHandler((request, reply) => {
    const interfaceId = askerAt(request.ip)
    const item = interfaceId === null ? null : itemOf(interfaceId)
    if (interfaceId === null || item === null) return answer(reply, 404)
    if (!item.metadata.endpointEnabled) return answer(reply, 403)
    if (request.raw.url!.length > urlMaxBytes) return answer(reply, 414)
    const path = request.raw.url!.split('?')[0]!
    if (request.method === 'PUT') return putToken(request, reply, path, interfaceId)
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return answer(reply.header('allow', 'GET, HEAD, PUT'), 405)
    const refusal = unlessInSession(request, reply, interfaceId, item)
    return refusal === null ? read(reply, path, item, options) : answer(reply, refusal)
  })

  function putToken(request: FastifyRequest, reply: FastifyReply, path: string, interfaceId: string) {
    // A proxy that forwards blindly is what version 2 protects from.
    if (request.headers['x-forwarded-for'] !== undefined) return answer(reply, 403)
    if (path !== tokenPath) return answer(reply, 404)
    const ttl = String(request.headers[ttlHeader] ?? '')
    if (!/^\d{1,5}$/.test(ttl) || Number(ttl) < 1 || Number(ttl) > ttlMaxSeconds) return answer(reply, 400)
    return answer(reply.header(ttlHeader, ttl), 200, tokens.issue(interfaceId, Number(ttl)))
  }

  /** The status to refuse with, or null. A token that is given must be good, required or not. */
  function unlessInSession(
    request: FastifyRequest,
    reply: FastifyReply,
    interfaceId: string,
    item: DomainItem,
  ): number | null {
    const token = request.headers[tokenHeader]
    if (token === undefined) return item.metadata.tokensRequired ? 401 : null
    const left = typeof token === 'string' ? tokens.secondsLeft(interfaceId, token) : null
    if (left === null) return 401
    reply.header(ttlHeader, String(left))
    return null
  }
  return app
}

async function read(
  reply: FastifyReply,
  path: string,
  item: DomainItem,
  { credentialsOf }: Pick<MetadataAppOptions, 'credentialsOf'>,
) {
  const names = namesOf(path)
  if (names === null) return answer(reply, 404)
  const [version, ...rest] = names
  if (version === undefined) return answer(reply, 200, metadataVersions.join('\n'))
  if (!(metadataVersions as readonly string[]).includes(version)) return answer(reply, 404)
  if (item.instanceProfile && rest[0] === 'meta-data' && rest[1] === 'iam') {
    const credentials = await credentialsOf(item)
    // SDKs ask again; without an answer from the cloud there is nothing to say.
    if (!credentials) return answer(reply, 503)
    const node = lookUp(iamBranch(item.instanceProfile, credentials), rest.slice(2))
    return node === null ? answer(reply, 404) : answer(reply, 200, bytesOf(node))
  }
  const node = lookUp(metadataTree(item), rest)
  return node === null ? answer(reply, 404) : answer(reply, 200, bytesOf(node))
}

/** The names in a path, empty ones left out; null where it cannot be decoded. */
function namesOf(path: string): string[] | null {
  try {
    return path
      .split('/')
      .filter((name) => name !== '')
      .map((name) => decodeURIComponent(name))
  } catch {
    return null
  }
}

function answer(reply: FastifyReply, status: number, body: string | Buffer = '') {
  return reply.code(status).header('content-type', 'text/plain').header('server', 'EC2ws').send(body)
}
