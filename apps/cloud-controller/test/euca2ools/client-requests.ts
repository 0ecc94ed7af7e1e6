/** Requests as euca2ools 3.4 puts them on the wire: a form by POST to the service's path with a slash at its end. */
import { sha256Hex, signRequest, signSigV2 } from '@mallee/aws-protocol'
import type { CloudUnderTest, Credentials } from '../cloud-under-test.ts'

export type Service = 'ec2' | 'iam' | 'sts' | 'bootstrap' | 'properties'
export type Parameters = Readonly<Record<string, string | number | boolean>>

const paths: Readonly<Record<Service, string>> = {
  ec2: '/services/compute/',
  iam: '/services/Euare/',
  sts: '/services/Tokens/',
  bootstrap: '/services/Empyrean/',
  properties: '/services/Properties/',
}
const versions: Readonly<Record<Service, string>> = {
  ec2: '2015-10-01',
  iam: '2010-05-08',
  sts: '2011-06-15',
  bootstrap: 'eucalyptus',
  properties: 'eucalyptus',
}
const host = '127.0.0.1:8773'
/** A name of a region in a configuration file: whatever its owner called it. */
const region = 'the-garage'
const signedHeaders =
  'accept;accept-encoding;content-length;content-type;host;x-amz-content-sha256;x-amz-date'

export interface ClientRequest {
  readonly action: string
  readonly service?: Service
  readonly version?: string
  readonly parameters: Parameters
  /** euca-install-image registers so. */
  readonly byVersion2?: boolean
}

export async function sendAsClient(cloud: CloudUnderTest, request: ClientRequest, as: Credentials) {
  const { service = 'ec2' } = request
  const path = paths[service]
  const parameters = {
    ...Object.fromEntries(Object.entries(request.parameters).map(([name, value]) => [name, String(value)])),
    Action: request.action,
    Version: request.version ?? versions[service],
  }
  const plain = {
    accept: '*/*',
    'accept-encoding': 'gzip, deflate',
    'content-type': 'application/x-www-form-urlencoded',
    host,
  }
  if (request.byVersion2) {
    const payload = signSigV2(
      { method: 'POST', host, rawPath: path, parameters },
      { credentials: as, now: new Date() },
    )
    return cloud.cloud.door.inject({ method: 'POST', url: path, headers: { ...plain, ...agent }, payload })
  }
  const payload = new URLSearchParams(parameters).toString()
  const headers = { ...plain, 'content-length': String(Buffer.byteLength(payload)) }
  const signed = signRequest(
    { method: 'POST', rawPath: path, headers, payloadHash: sha256Hex(payload) },
    { credentials: as, region, service, now: new Date() },
  )
  if (!signed['authorization']?.includes(`SignedHeaders=${signedHeaders},`))
    throw new Error(`Other headers are signed than the client signs: ${signed['authorization']}`)
  return cloud.cloud.door.inject({
    method: 'POST',
    url: path,
    headers: { ...headers, ...agent, ...signed },
    payload,
  })
}

const agent = { 'user-agent': 'euca2ools/3.4' }
