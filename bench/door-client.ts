import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { signRequest } from '@mallee/aws-protocol'
import type { TestHost } from '@mallee/testkit'

/**
 * An EC2 query straight to the cloud controller's socket: starting a Python client takes longer than most of what is
 * measured. Answers the XML; throws it where it is no success.
 */
export function callDoor(
  host: TestHost,
  action: string,
  parameters: Readonly<Record<string, string | number>> = {},
): Promise<string> {
  const credentials = JSON.parse(readFileSync(`${host.stateDir}/cloud/credentials.json`, 'utf8')) as {
    accessKeyId: string
    secretAccessKey: string
  }
  const form = new URLSearchParams({ Action: action, Version: '2016-11-15' })
  for (const [name, value] of Object.entries(parameters)) form.append(name, String(value))
  const body = Buffer.from(form.toString())
  const headers: Record<string, string> = {
    host: 'bench',
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': String(body.length),
  }
  const signed = signRequest(
    { method: 'POST', rawPath: '/', headers, body },
    { credentials, region: 'us-east-1', service: 'ec2', now: new Date() },
  )
  return new Promise((resolve, reject) => {
    const socketPath = `${host.stateDir}/run/door.sock`
    const call = request(
      { socketPath, method: 'POST', path: '/', headers: { ...headers, ...signed } },
      (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => (text += chunk.toString()))
        response.on('end', () => (response.statusCode === 200 ? resolve(text) : reject(new Error(text))))
      },
    )
    call.on('error', reject)
    call.end(body)
  })
}

/** The text of the first element of that name. */
export function textOf(xml: string, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1]
}
