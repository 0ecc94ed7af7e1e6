import { afterEach, describe, expect, it, vi } from 'vitest'
import { connectLibvirt } from './connection.ts'
import type { ConnectOptions, LibvirtConnection } from './connection.ts'
import { startFakeLibvirtd } from './fake-libvirtd.ts'
import type { FakePeer, OnCall } from './fake-libvirtd.ts'
import { messages, procedures, programs } from './generated/procedures.ts'
import type { PacketHeader } from './packet.ts'

const undo: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step()
})

async function connected(onPacket: OnCall, options: Partial<ConnectOptions> = {}) {
  const fake = await startFakeLibvirtd(onPacket)
  undo.push(fake.stop)
  const connection = await connectLibvirt({ socketPath: fake.socketPath, timeoutMs: 5_000, ...options })
  undo.push(() => connection.close())
  return { connection, peer: fake.peers[0]! }
}

const closed = (connection: LibvirtConnection) =>
  new Promise<Error | null>((resolve) => connection.on('close', resolve))
const dom = { name: 'd', uuid: '00000000-0000-0000-0000-000000000001', id: 1 }

describe('calls', () => {
  it('are matched by serial, whatever the order of the answers', async () => {
    const calls: PacketHeader[] = []
    const { connection } = await connected((peer, call) => {
      calls.push(call)
      if (calls.length < 3) return
      for (const { serial } of calls.toReversed()) {
        peer.answer('connectGetHostname', serial, { hostname: `host ${serial}` })
      }
    })
    const answers = await Promise.all([
      connection.getHostname(),
      connection.getHostname(),
      connection.getHostname(),
    ])
    expect(answers).toEqual(calls.map(({ serial }) => `host ${serial}`))
    expect(connection.pendingCalls).toBe(0)
  })

  it('that are refused carry code, domain and message', async () => {
    const { connection } = await connected((peer, call) => peer.fail(call, 42, 'no such thing'))
    await expect(connection.domainLookupByName('x')).rejects.toMatchObject({
      name: 'LibvirtError',
      code: 42,
      codeName: 'no-domain',
      domainName: 'qemu',
      message: 'no such thing',
      procedure: 'domainLookupByName',
    })
  })

  it('time out one by one, and a late answer harms nobody', async () => {
    const held: [FakePeer, PacketHeader][] = []
    const { connection } = await connected((peer, call) => {
      if (call.procedure === procedures.connectGetUri.number) held.push([peer, call])
      else peer.answer('connectGetHostname', call.serial, { hostname: 'h' })
    })
    const slow = connection.getUri({ timeoutMs: 20 })
    expect(await connection.getHostname()).toBe('h')
    await expect(slow).rejects.toMatchObject({
      name: 'LibvirtTimeoutError',
      procedure: 'connectGetUri',
      timeoutMs: 20,
    })
    for (const [peer, call] of held) peer.answer('connectGetUri', call.serial, { uri: 'late' })
    expect(await connection.getHostname()).toBe('h')
    expect(connection.isClosed).toBe(false)
  })

  it('over the limit are refused before they are sent', async () => {
    const { connection } = await connected(() => {}, { maxPendingCalls: 2 })
    const waiting = [connection.getUri(), connection.getUri()].map((call) =>
      call.catch((error: Error) => error.name),
    )
    await expect(connection.getUri()).rejects.toMatchObject({ name: 'LibvirtBusyError', maxPendingCalls: 2 })
    await connection.close()
    expect(await Promise.all(waiting)).toEqual(['LibvirtConnectionError', 'LibvirtConnectionError'])
  })

  it('with arguments that do not fit fail alone', async () => {
    const { connection } = await connected((peer, call) =>
      peer.answer('connectGetHostname', call.serial, { hostname: 'h' }),
    )
    await expect(connection.domainLookupByUuid('no uuid')).rejects.toThrow(/not a UUID/)
    await expect(connection.domainCreateXml('a\0b')).rejects.toThrow(/NUL/)
    expect(await connection.getHostname()).toBe('h')
  })
})

describe('a connection', () => {
  it('that breaks rejects what is pending and says so once', async () => {
    const { connection } = await connected((peer) => void peer.socket.destroy())
    const told = vi.fn()
    connection.on('close', told)
    await expect(connection.getUri()).rejects.toMatchObject({ name: 'LibvirtConnectionError' })
    await expect(connection.getUri()).rejects.toMatchObject({ name: 'LibvirtConnectionError' })
    expect(connection.isClosed).toBe(true)
    expect(told).toHaveBeenCalledTimes(1)
    expect(await closed(connection)).toMatchObject({ name: 'LibvirtConnectionError' })
  })

  it('closed by us ends without an error', async () => {
    const { connection } = await connected(() => {})
    await connection.close()
    await connection.close()
    expect(await closed(connection)).toBe(null)
  })

  it.each([
    ['a length that is impossible', Buffer.from('ffffffff', 'hex')],
    [
      'an unknown kind of packet',
      Buffer.from('0000001c200080860000000100000001000000090000000000000000', 'hex'),
    ],
  ])('that delivers %s is ended', async (_, bytes) => {
    const { connection } = await connected((peer) => void peer.socket.write(bytes))
    await expect(connection.getUri()).rejects.toThrow(/not understood/)
    expect(connection.isClosed).toBe(true)
  })

  it('that delivers a body cut short is ended, and the call rejected', async () => {
    const { connection } = await connected((peer, call) => {
      const header = {
        program: call.program,
        procedure: call.procedure,
        type: 1,
        serial: call.serial,
        status: 0,
      }
      peer.send(header, (writer) => writer.uint(100))
    })
    await expect(connection.getUri()).rejects.toThrow(/ends early/)
  })

  it('cannot be made where nobody listens', async () => {
    await expect(connectLibvirt({ socketPath: '/nonexistent/socket' })).rejects.toMatchObject({
      name: 'LibvirtConnectionError',
      message: expect.stringContaining('/nonexistent/socket'),
    })
  })

  it('answers PING with PONG, and dies of silence only when told to ping', async () => {
    const pong = Promise.withResolvers<PacketHeader>()
    const { peer } = await connected((_, packet) => pong.resolve(packet))
    peer.ping()
    expect(await pong.promise).toMatchObject({ program: programs.keepalive, procedure: 2, type: 2 })

    const mute = await connected(() => {}, { keepaliveIntervalMs: 5, keepaliveCount: 2 })
    expect(await closed(mute.connection)).toMatchObject({ message: expect.stringContaining('keepalive') })
    expect(mute.peer.received.filter(({ program }) => program === programs.keepalive)).toHaveLength(2)
  })
})

const lifecycle = (peer: FakePeer, callbackID: number, event: number, detail: number) => {
  const { number, body } = messages.domainEventLifecycle
  const header = { program: programs.remote, procedure: number, type: 2, serial: 0, status: 0 }
  peer.send(header, (writer) => body.encode(writer, { callbackID, msg: { dom, event, detail } }))
}
const register = (peer: FakePeer, call: PacketHeader) =>
  peer.answer('connectDomainEventCallbackRegisterAny', call.serial, { callbackID: 7 })

describe('events', () => {
  it('on the heels of the registration are not lost; unknown numbers have a name', async () => {
    const { connection } = await connected((peer, call) => {
      if (call.procedure !== procedures.connectDomainEventCallbackRegisterAny.number) {
        peer.answer('connectDomainEventCallbackDeregisterAny', call.serial, undefined)
        return
      }
      peer.socket.cork()
      register(peer, call)
      lifecycle(peer, 7, 5, 1)
      lifecycle(peer, 7, 5, 99)
      lifecycle(peer, 7, 99, 0)
      lifecycle(peer, 8, 5, 0)
      peer.socket.uncork()
    })
    const seen: unknown[] = []
    const unsubscribe = await connection.onDomainEvent('lifecycle', (event) => seen.push(event))
    await vi.waitFor(() => expect(seen).toHaveLength(3))
    expect(seen).toEqual([
      { domain: dom, event: 'stopped', detail: 'destroyed' },
      { domain: dom, event: 'stopped', detail: 'unknown' },
      { domain: dom, event: 'unknown', detail: 'unknown' },
    ])
    await unsubscribe()
    await unsubscribe()
  })

  it('with a listener that throws are reported and harm nobody', async () => {
    const thrown: unknown[] = []
    const { connection, peer } = await connected(register, { onListenerError: (error) => thrown.push(error) })
    await connection.onDomainEvent('lifecycle', () => {
      throw new Error('listener')
    })
    lifecycle(peer, 7, 2, 0)
    await vi.waitFor(() => expect(thrown).toHaveLength(1))
    expect(connection.isClosed).toBe(false)
  })
})

const part = (peer: FakePeer, call: PacketHeader, status: number, text = '') => {
  const header = { program: call.program, procedure: call.procedure, type: 3, serial: call.serial, status }
  peer.send(header, (writer) => writer.raw(Buffer.from(text)))
}

describe('streams', () => {
  it('deliver in order, finish when the other side has no more', async () => {
    const { connection, peer } = await connected((peer, call) => {
      if (call.type === 3) return part(peer, call, 0)
      peer.answer('domainScreenshot', call.serial, { mime: 'image/png' })
      for (const text of ['one ', 'two ', 'three', '']) part(peer, call, 2, text)
    })
    const { mimeType, stream } = await connection.domainScreenshot(dom)
    expect(mimeType).toBe('image/png')
    expect((await stream.readAll(100)).toString()).toBe('one two three')
    await vi.waitFor(() => expect(peer.received.at(-1)).toMatchObject({ type: 3, status: 0 }))
  })

  it('end with the error libvirt gives, or with the connection', async () => {
    const { connection } = await connected((peer, call) => {
      peer.answer('domainOpenConsole', call.serial, undefined)
      part(peer, call, 2, 'x')
      peer.socket.end()
    })
    const stream = await connection.domainOpenConsole(dom)
    await expect(stream.readAll(100)).rejects.toMatchObject({ name: 'LibvirtConnectionError' })
  })

  it('are aborted when they have not ended in time', async () => {
    const { connection, peer } = await connected((peer, call) => {
      if (call.type === 3) return
      peer.answer('domainOpenConsole', call.serial, undefined)
      part(peer, call, 2, 'x')
    })
    const stream = await connection.domainOpenConsole(dom)
    await expect(stream.readAll(100, { timeoutMs: 20 })).rejects.toMatchObject({
      name: 'LibvirtTimeoutError',
    })
    await vi.waitFor(() => expect(peer.received.at(-1)).toMatchObject({ type: 3, status: 1 }))
  })

  it('are aborted when the reader leaves, and when their call was given up', async () => {
    const { connection, peer } = await connected((peer, call) => {
      if (call.procedure === procedures.domainScreenshot.number) return
      peer.answer('domainOpenConsole', call.serial, undefined)
      part(peer, call, 2, 'x')
    })
    for await (const bytes of await connection.domainOpenConsole(dom)) {
      expect(bytes.toString()).toBe('x')
      break
    }
    await vi.waitFor(() => expect(peer.received.at(-1)).toMatchObject({ type: 3, status: 1 }))
    await expect(connection.domainScreenshot(dom, 0, { timeoutMs: 10 })).rejects.toMatchObject({
      name: 'LibvirtTimeoutError',
    })
    const call = peer.received.findLast(({ procedure }) => procedure === procedures.domainScreenshot.number)!
    peer.answer('domainScreenshot', call.serial, { mime: null })
    await vi.waitFor(() =>
      expect(peer.received.at(-1)).toMatchObject({ type: 3, status: 1, serial: call.serial }),
    )
  })
})
