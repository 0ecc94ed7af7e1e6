import type { IncomingHttpHeaders } from 'node:http'

/**
 * Which of our two services a request is for, told from its first lines alone (DECISIONS 6): the scope of its signature
 * where that names a service of ours, else the older signature of S3, else the name it was sent to, else its path, else an
 * Action, else its method.
 * Nothing is verified here: the service that is chosen does that, and refuses what is not its own.
 */
export type Upstream = 'cloud' | 'walrus'

/** `ebs`: the record is the cloud controller's, the blocks are walrus'. */
const services: Readonly<Record<string, Upstream | 'ebs'>> = {
  s3: 'walrus',
  ec2: 'cloud',
  sts: 'cloud',
  iam: 'cloud',
  ebs: 'ebs',
  bootstrap: 'cloud',
  properties: 'cloud',
  cloudtrail: 'cloud',
  servicequotas: 'cloud',
}

export interface RequestHead {
  readonly method: string
  /** As on the request line. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
}

export function chooseUpstream(request: RequestHead): Upstream {
  const { method, headers } = request
  const mark = request.url.indexOf('?')
  const path = mark < 0 ? request.url : request.url.slice(0, mark)
  const query = mark < 0 ? '' : request.url.slice(mark + 1)
  const authorization = headers.authorization ?? ''
  const service = scopeService(authorization, query)
  if (service !== undefined && Object.hasOwn(services, service))
    return partOf(services[service]!, method, path)
  if (/^AWS [^:\s]+:/.test(authorization)) return 'walrus'
  const byHost = hostService(headers.host ?? '')
  if (byHost !== undefined) return partOf(byHost, method, path)
  if (/^\/services\/(?:objectstorage|walrus)(?:\/|$)/i.test(path)) return 'walrus'
  if (/^\/services\//i.test(path)) return 'cloud'
  if (/(?:^|&)Action=/.test(query)) return 'cloud'
  if (method === 'POST' && isForm(headers['content-type'])) return 'cloud'
  if (path === '/' && /^wsdl=?$/i.test(query)) return 'cloud'
  if (method === 'POST' && path === '/' && query === '') return 'cloud'
  return 'walrus'
}

/** StartSnapshot and CompleteSnapshot make a snapshot; the other EBS direct APIs read and write its blocks. */
function partOf(service: Upstream | 'ebs', method: string, path: string): Upstream {
  if (service !== 'ebs') return service
  return method === 'POST' && /^\/snapshots(?:\/completion\/[^/]+)?$/.test(path) ? 'cloud' : 'walrus'
}

/** First labels of names under which AWS's services, and those of a Eucalyptus cloud with DNS, are reached. */
const hosts: Readonly<Record<string, Upstream | 'ebs'>> = {
  ...services,
  compute: 'cloud',
  tokens: 'cloud',
  euare: 'cloud',
  objectstorage: 'walrus',
  walrus: 'walrus',
}

/** A bucket may have a service's name: what is under a name of S3 is S3's. */
function hostService(host: string): Upstream | 'ebs' | undefined {
  const [first = '', ...rest] = host.toLowerCase().split('.')
  if (rest.length === 0) return undefined
  if (rest.some((label) => /^s3-website(?:-|$)/.test(label))) return 'walrus'
  if (rest.some((label) => Object.hasOwn(hosts, label) && hosts[label] === 'walrus')) return 'walrus'
  return Object.hasOwn(hosts, first) ? hosts[first] : undefined
}

function scopeService(authorization: string, query: string): string | undefined {
  // Each of these looks at a byte once: whoever asks is not known yet, and may send a long header.
  const credential = /^AWS4-[A-Z0-9-]+\s/.test(authorization)
    ? /[\s,]Credential=([^,\s]*)/.exec(authorization)?.[1]
    : undefined
  const inHeader = /\/([\w.-]+)\/aws4_request$/.exec(credential ?? '')?.[1]
  if (inHeader !== undefined) return inHeader
  const inQuery = /(?:^|&)X-Amz-Credential=([^&]*)/.exec(query)?.[1]
  return /(?:\/|%2F)([\w.-]+)(?:\/|%2F)aws4_request$/i.exec(inQuery ?? '')?.[1]
}

const isForm = (type: string | undefined): boolean =>
  /^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type ?? '')
