/** Only for tests: a listener that speaks packets and does with each call what the test says. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errorBody, procedures, programs } from './generated/procedures.ts'
import { PacketAssembler, headerBytes, readHeader, writeHeader } from './packet.ts'
import type { PacketHeader } from './packet.ts'
import type { AnswerOf, ProcedureName } from './rpc.ts'
import { XdrWriter } from './xdr.ts'
import type { XdrCodec } from './xdr.ts'

/** One client's side of the fake. */
export class FakePeer {
  readonly socket: Socket
  /** Everything that came, in order. */
  readonly received: PacketHeader[] = []

  constructor(socket: Socket) {
    this.socket = socket
  }

  send(header: Omit<PacketHeader, 'version'>, write: (writer: XdrWriter) => void = () => {}): void {
    const writer = new XdrWriter(headerBytes)
    write(writer)
    this.socket.write(writeHeader(writer.bytes(), header))
  }

  answer<P extends ProcedureName>(procedure: P, serial: number, answer: AnswerOf<P>): void {
    const { program, number, ret } = procedures[procedure]
    const header = { program, procedure: number, type: 1, serial, status: 0 }
    this.send(header, (writer) => (ret as XdrCodec<AnswerOf<P>>).encode(writer, answer))
  }

  fail(call: PacketHeader, code: number, message: string): void {
    const nothing = { level: 2, dom: null, str1: null, str2: null, str3: null, int1: 0, int2: 0, net: null }
    const { program, procedure, serial } = call
    const header = { program, procedure, type: 1, serial, status: 1 }
    this.send(header, (writer) => errorBody.encode(writer, { code, domain: 10, message, ...nothing }))
  }

  ping(): void {
    this.send({ program: programs.keepalive, procedure: 1, type: 2, serial: 0, status: 0 })
  }
}

export type OnCall = (peer: FakePeer, call: PacketHeader) => void

const numberOf = (name: ProcedureName) => procedures[name].number

/** Logs clients in by itself; every other packet goes to `onPacket`. */
export async function startFakeLibvirtd(onPacket: OnCall) {
  const dir = mkdtempSync(join(tmpdir(), 'fake-libvirtd-'))
  const socketPath = join(dir, 's')
  const peers: FakePeer[] = []
  const server = createServer((socket) => {
    const peer = new FakePeer(socket)
    peers.push(peer)
    const assembler = new PacketAssembler()
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) =>
      assembler.push(chunk, (packet) => {
        const call = readHeader(packet)
        peer.received.push(call)
        if (call.type !== 0) onPacket(peer, call)
        else if (call.procedure === numberOf('authList')) peer.answer('authList', call.serial, { types: [0] })
        else if (call.procedure === numberOf('connectOpen'))
          peer.answer('connectOpen', call.serial, undefined)
        else if (call.procedure === numberOf('connectClose'))
          peer.answer('connectClose', call.serial, undefined)
        else onPacket(peer, call)
      }),
    )
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  return {
    socketPath,
    peers,
    stop: async () => {
      for (const peer of peers) peer.socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
