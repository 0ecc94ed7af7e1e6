/** Listens in a namespace for the storm: the real metadata service, and beside it two that know nothing. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { silentLog } from '@mallee/base'
import type { DomainItem } from '@mallee/agent-contract'
import { startMetadataServer } from '@mallee/node-controller'

const artifact = (imageId: string) => ({
  ...{ imageId, bucket: 'b', key: 'k', sha256: '0'.repeat(64), sizeBytes: 1, format: 'raw' as const },
})
const itemOf = (guest: string): DomainItem => ({
  ...{ intent: 'run', instanceId: `i-${guest}`, incarnation: 1, graceMs: 0, rebootCount: 0, consoleCount: 0 },
  ...{ accountId: '000000000001', userId: 'u', reservationId: 'r-1', launchIndex: 0, uuid: 'x' },
  ...{ launchTimeMs: Date.UTC(2026, 0, 2), region: 'us-east-1', availabilityZone: 'us-east-1a' },
  ...{ instanceType: 't3.nano', vcpus: 1, memoryMiB: 128, diskGiB: 1, platform: 'linux' },
  ...{ architecture: 'x86_64', rootDeviceName: '/dev/sda1', machine: artifact('ami-1') },
  ...{ kernel: artifact('aki-1'), ramdisk: null, keyName: 'mine', publicKey: 'ssh-ed25519 AAAA' },
  userData: Buffer.from('#!/bin/sh\n'.repeat(20)).toString('base64'),
  ...{ privateDnsName: 'ip-10-0-0-4.ec2.internal', publicDnsName: '' },
  interfaces: [
    {
      ...{ interfaceId: guest, attachmentId: 'eni-attach-1', deviceIndex: 0, mac: '02:00:00:00:00:01' },
      ...{ privateIp: '10.0.0.4', publicIp: null, subnetId: 'subnet-1', subnetCidr: '10.0.0.0/24' },
      ...{
        vpcId: 'vpc-1',
        vpcCidr: '10.0.0.0/16',
        securityGroupIds: ['sg-1'],
        securityGroupNames: ['default'],
      },
    },
  ],
  metadata: { endpointEnabled: true, tokensRequired: true, hopLimit: 1, tagsEnabled: false },
  tags: { Name: 'first' },
})

const items = new Map<string, DomainItem>()
const real = await startMetadataServer({
  host: '127.0.0.1',
  port: 0,
  // As the network's table of identities: one address an interface.
  credentialsOf: async () => null,
  askerAt: (address) => (address.startsWith('127.1.') ? `eni-${address}` : null),
  itemOf: (id) => {
    if (!items.has(id)) items.set(id, itemOf(id))
    return items.get(id)!
  },
  log: silentLog,
})

const token = 'x'.repeat(51)
const bare = createServer((request, response) => {
  response.setHeader('content-type', 'text/plain')
  const said = request.method === 'PUT' ? token : 'i-eni-127.1.0.1'
  response.setHeader('content-length', said.length)
  response.end(said)
})
await new Promise<void>((resolve) => bare.listen(0, '127.0.0.1', resolve))

const fastify = Fastify()
fastify.removeAllContentTypeParsers()
fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, _body, done) => done(null))
fastify.setNotFoundHandler((request, reply) =>
  reply
    .code(200)
    .type('text/plain')
    .send(request.method === 'PUT' ? token : 'i-eni-127.1.0.1'),
)
await fastify.listen({ host: '127.0.0.1', port: 0 })

const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port
process.stdout.write(
  `${JSON.stringify({ 'bare node:http': portOf(bare), 'bare fastify': portOf(fastify.server), metadata: real.address.port })}\n`,
)
process.stdin.on('end', () => process.exit(0)).resume()
