import { fork } from 'node:child_process'
import { connect } from 'node:net'
import path from 'node:path'
import { parseQueryRequest, signRequest, SigningKeyCache, verifySignature } from '@mallee/aws-protocol'
import { createEc2Decoder } from '@mallee/ec2-api'
import { figureLine, figures } from './figures.ts'

const rounds = 9
const perRound = 20_000
const connections = 16
const inProcess = 20_000
const credentials = { accessKeyId: 'AKIABENCHBENCHBENCH0', secretAccessKey: 'bench'.repeat(8) }
const answer = `<?xml version="1.0" encoding="UTF-8"?><Answer>${'x'.repeat(1000)}</Answer>`

const describe = {
  Action: 'DescribeInstances',
  Version: '2016-11-15',
  'Filter.1.Name': 'instance-state-name',
  'Filter.1.Value.1': 'running',
}
const run = {
  Action: 'RunInstances',
  Version: '2016-11-15',
  ImageId: 'ami-0123456789abcdef0',
  MinCount: '1',
  MaxCount: '1',
  InstanceType: 't3.micro',
  KeyName: 'a key',
  UserData: Buffer.from('#!/bin/sh\n'.repeat(20)).toString('base64'),
  'Placement.AvailabilityZone': 'us-east-1a',
  'SecurityGroupId.1': 'sg-0123456789abcdef0',
  'SecurityGroupId.2': 'sg-0123456789abcdef1',
  'BlockDeviceMapping.1.DeviceName': '/dev/sdb',
  'BlockDeviceMapping.1.VirtualName': 'ephemeral0',
  'MetadataOptions.HttpTokens': 'required',
  'MetadataOptions.HttpPutResponseHopLimit': '2',
  'TagSpecification.1.ResourceType': 'instance',
  'TagSpecification.1.Tag.1.Key': 'Name',
  'TagSpecification.1.Tag.1.Value': 'größe & more',
  ClientToken: '0d5f2b0e-63b3-4a3c-8b0e-2f1f6d6f5b3a',
}

/**
 * Requests a second through a door that verifies Signature Version 4 and decodes and does nothing else, against a bare
 * node:http server that reads the same bodies and answers the same bytes; in a process of its own, in turn.
 */
export async function signaturesBench(): Promise<void> {
  const server = fork(path.join(import.meta.dirname, 'signatures-server.ts'), [], { stdio: 'inherit' })
  try {
    const ports = await new Promise<[number, number]>((resolve, reject) => {
      server.once('message', (found) => resolve(found as [number, number]))
      server.once('exit', () => reject(new Error('the server ended')))
      server.send({ ...credentials, answer })
    })
    for (const [name, form] of [
      ['DescribeInstances, one filter', describe],
      [`RunInstances, ${Object.keys(run).length} parameters`, run],
    ] as const) {
      const request = signed(form)
      const bare: number[] = []
      const door: number[] = []
      for (let round = 0; round < rounds + 1; round += 1) {
        bare.push(await load(ports[0], request.wire))
        door.push(await load(ports[1], request.wire))
      }
      const [floor, ours] = [figures(bare.slice(1)), figures(door.slice(1))]
      process.stdout.write(`${name} (${request.body.length} bytes)\n`)
      process.stdout.write(`${figureLine('  bare node:http', 'a second', floor)}\n`)
      process.stdout.write(`${figureLine('  verified and decoded', 'a second', ours)}\n`)
      process.stdout.write(`  ratio of medians: ${(ours.median / floor.median).toFixed(2)}\n`)
      const own: number[] = []
      for (let round = 0; round < 6; round += 1) own.push(await alone(request))
      process.stdout.write(`${figureLine('  in this process, no HTTP', 'a second', figures(own.slice(1)))}\n`)
    }
  } finally {
    server.kill()
  }
}

function signed(form: Record<string, string>) {
  const body = Buffer.from(new URLSearchParams(form).toString())
  const headers = {
    host: '127.0.0.1',
    'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
    'content-length': String(body.length),
  }
  const parts = { method: 'POST', rawPath: '/', headers, body }
  const more = signRequest(parts, { credentials, region: 'us-east-1', service: 'ec2', now: new Date() })
  const lines = Object.entries({ ...headers, ...more }).map(([name, value]) => `${name}: ${value}\r\n`)
  const wire = Buffer.concat([Buffer.from(`POST / HTTP/1.1\r\n${lines.join('')}\r\n`), body])
  return { ...parts, rawQuery: '', headers: { ...headers, ...more }, body, wire }
}

/** Sends the same bytes over and over on a few connections; answers how many were answered with 200 a second. */
async function load(port: number, wire: Buffer): Promise<number> {
  let left = perRound
  const beganMs = performance.now()
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      await new Promise<void>((resolve, reject) => {
        let rest = ''
        const next = () => {
          if (left <= 0) return socket.end(() => resolve())
          left -= 1
          return socket.write(wire)
        }
        socket.setEncoding('latin1')
        socket.on('connect', next)
        socket.on('error', reject)
        socket.on('data', (text: string) => {
          rest += text
          if (!rest.endsWith('</Answer>')) return
          if (!rest.startsWith('HTTP/1.1 200')) reject(new Error(rest.slice(0, 200)))
          rest = ''
          next()
        })
      })
    }),
  )
  return perRound / ((performance.now() - beganMs) / 1000)
}

async function alone(request: ReturnType<typeof signed>): Promise<number> {
  const decoder = createEc2Decoder()
  const signingKeys = new SigningKeyCache({})
  const secretOf = () => Promise.resolve(credentials.secretAccessKey)
  const beganMs = performance.now()
  for (let index = 0; index < inProcess; index += 1) {
    await verifySignature(request, { dialect: 'ec2', now: new Date(), secretOf, signingKeys })
    const query = parseQueryRequest('', request.body.toString('utf8'))
    decoder.decode(query.action ?? '', query.parameters)
  }
  return inProcess / ((performance.now() - beganMs) / 1000)
}
