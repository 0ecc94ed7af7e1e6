import { signMessage, type MessageOptions, type MessageSigner } from '@mallee/soap'
import type { CloudUnderTest, Credentials } from '../cloud-under-test.ts'

export const soapNamespace = 'http://ec2.amazonaws.com/doc/2010-08-31/'

/** A request of EC2's SOAP dialect. */
export const request = (action: string, content = '') =>
  `<${action} xmlns="${soapNamespace}">${content}</${action}>`

let sent = 0
/** No two messages alike: the second would be a replay of the first. */
export function signed(content: string, by: MessageSigner, options: Partial<MessageOptions> = {}): string {
  sent += 1
  return signMessage(content, by, { createdMs: Date.now() - sent, ...options })
}

/** Sends a message; `code` is that of the fault without its `aws:Client.`, null where there was none. */
export async function sendSoap(
  cloud: CloudUnderTest,
  message: string | Buffer,
  options: { url?: string; type?: string } = {},
): Promise<{ status: number; body: string; code: string | null }> {
  const response = await cloud.cloud.door.inject({
    method: 'POST',
    url: options.url ?? '/services/Eucalyptus',
    headers: {
      host: '127.0.0.1:8773',
      'content-type': options.type ?? 'text/xml; charset=UTF-8',
      soapaction: '""',
    },
    payload: message,
  })
  const code = /<faultcode>(?:aws:(?:Client|Server)\.)?([^<]*)</.exec(response.body)?.[1] ?? null
  return { status: response.statusCode, body: response.body, code }
}

/** The certificate's id. */
export async function uploadCertificate(
  cloud: CloudUnderTest,
  certificate: string,
  as: Credentials = cloud.admin,
): Promise<string> {
  const answer = await cloud.call(
    'UploadSigningCertificate',
    { CertificateBody: certificate },
    { service: 'iam', version: '2010-05-08', as },
  )
  const id = /<CertificateId>([^<]*)</.exec(answer.body)?.[1]
  if (id === undefined) throw new Error(answer.body)
  return id
}
