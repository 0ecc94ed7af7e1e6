/** `euare-usercreatecert`, as a program: a signing certificate and its key into the two files that are named. */
import { writeFileSync } from 'node:fs'
import { signRequest } from '@mallee/aws-protocol'
import { assert, must } from '@mallee/base'

const [certificateFile, keyFile] = process.argv.slice(2)
const host = `${process.env['MALLEE_HOST']}:${process.env['MALLEE_PORT']}`
const body = Buffer.from('Action=CreateSigningCertificate&Version=2010-05-08')
const headers = { host, 'content-type': 'application/x-www-form-urlencoded' }
const signed = signRequest(
  { method: 'POST', rawPath: '/services/Euare/', headers, body },
  {
    credentials: {
      accessKeyId: must(process.env['AWS_ACCESS_KEY_ID'], 'a key'),
      secretAccessKey: must(process.env['AWS_SECRET_ACCESS_KEY'], 'a secret'),
    },
    region: 'us-east-1',
    service: 'iam',
    now: new Date(),
  },
)
const response = await fetch(`http://${host}/services/Euare/`, {
  method: 'POST',
  headers: { ...headers, ...signed },
  body,
})
const text = await response.text()
assert(response.ok, text)
const member = (name: string) =>
  must(new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1], name).replaceAll('&#xD;', '\r')
writeFileSync(must(certificateFile, 'a file'), member('CertificateBody'))
writeFileSync(must(keyFile, 'a file'), member('PrivateKey'), { mode: 0o600 })
