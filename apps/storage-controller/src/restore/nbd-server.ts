import { rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { errorMessage, type Log } from '@mallee/base'

/** Something that can be read as a disk. */
export interface ReadableDisk {
  readonly sizeBytes: number
  read(offset: number, length: number): Promise<Buffer>
}

const magic = 0x4e42444d41474943n // NBDMAGIC
const optionMagic = 0x49484156454f5054n // IHAVEOPT
const replyMagic = 0x3e889045565a9n
const requestMagic = 0x25609513
const simpleReplyMagic = 0x67446698

const options = { exportName: 1, abort: 2, info: 6, go: 7 }
const replies = { ack: 1, info: 3, unsupported: 2 ** 31 + 1, unknown: 2 ** 31 + 6 }
/** It has flags, and nobody may write. */
const transmissionFlags = 1 | 2
const commands = { read: 0, disconnect: 2 }
const errors = { io: 5, invalid: 22 }
const longestOption = 4096
const longestRead = 32 * 1024 * 1024

/**
 * The part of the NBD protocol by which a process on this machine reads disks of ours: fixed newstyle, simple replies, read
 * only. https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
 */
export class NbdServer {
  private readonly deps: {
    readonly socketPath: string
    /** Null where there is no such disk. */
    readonly find: (name: string) => ReadableDisk | null
    readonly log: Log
  }
  private readonly server: Server
  private readonly sockets = new Set<Socket>()

  constructor(deps: NbdServer['deps']) {
    this.deps = deps
    this.server = createServer((socket) => this.serve(socket))
  }

  async listen(): Promise<void> {
    const { socketPath } = this.deps
    await rm(socketPath, { force: true })
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject)
      this.server.listen(socketPath, resolve)
    })
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private serve(socket: Socket): void {
    this.sockets.add(socket)
    socket.on('close', () => this.sockets.delete(socket))
    socket.on('error', () => {}) // who hangs up has heard enough
    this.talk(socket, new Reader(socket)).catch((error: unknown) => {
      this.deps.log.debug({ reason: errorMessage(error) }, 'a reader of a disk is gone')
      socket.destroy()
    })
  }

  private async talk(socket: Socket, reader: Reader): Promise<void> {
    const hello = Buffer.alloc(18)
    hello.writeBigUInt64BE(magic, 0)
    hello.writeBigUInt64BE(optionMagic, 8)
    hello.writeUInt16BE(1 | 2, 16) // fixed newstyle, no zeros
    socket.write(hello)
    const noZeros = ((await reader.take(4)).readUInt32BE(0) & 2) !== 0
    const disk = await this.negotiate(socket, reader, noZeros)
    if (disk) await this.transmit(socket, reader, disk)
    socket.end()
  }

  private async negotiate(socket: Socket, reader: Reader, noZeros: boolean): Promise<ReadableDisk | null> {
    for (;;) {
      const head = await reader.take(16)
      if (head.readBigUInt64BE(0) !== optionMagic) throw new Error('this is not the protocol')
      const [option, length] = [head.readUInt32BE(8), head.readUInt32BE(12)]
      if (length > longestOption) throw new Error('an option is too long')
      const data = await reader.take(length)
      if (option === options.exportName) {
        const disk = this.deps.find(data.toString('utf8'))
        if (!disk) return null
        socket.write(Buffer.concat([infoOf(disk).subarray(2), Buffer.alloc(noZeros ? 0 : 124)]))
        return disk
      }
      if (option === options.info || option === options.go) {
        const disk = this.deps.find(data.toString('utf8', 4, 4 + data.readUInt32BE(0)))
        if (disk) socket.write(optionReply(option, replies.info, infoOf(disk)))
        socket.write(optionReply(option, disk ? replies.ack : replies.unknown))
        if (disk && option === options.go) return disk
        continue
      }
      socket.write(optionReply(option, option === options.abort ? replies.ack : replies.unsupported))
      if (option === options.abort) return null
    }
  }

  /** Requests are answered as their bytes come: one block that is slow holds up no other. */
  private async transmit(socket: Socket, reader: Reader, disk: ReadableDisk): Promise<void> {
    for (;;) {
      const head = await reader.take(28)
      if (head.readUInt32BE(0) !== requestMagic) throw new Error('this is not the protocol')
      const command = head.readUInt16BE(6)
      if (command === commands.disconnect) return
      const [offset, length] = [Number(head.readBigUInt64BE(16)), head.readUInt32BE(24)]
      const valid =
        command === commands.read && length <= longestRead && offset + length <= Math.ceil(disk.sizeBytes)
      const cookie = head.subarray(8, 16)
      if (!valid) socket.write(simpleReply(cookie, errors.invalid))
      else void this.answer(socket, cookie, () => disk.read(offset, length))
    }
  }

  private async answer(socket: Socket, cookie: Buffer, read: () => Promise<Buffer>): Promise<void> {
    try {
      const bytes = await read()
      if (!socket.destroyed) socket.write(Buffer.concat([simpleReply(cookie, 0), bytes]))
    } catch (error) {
      this.deps.log.error({ reason: errorMessage(error) }, 'a block of a disk cannot be read')
      if (!socket.destroyed) socket.write(simpleReply(cookie, errors.io))
    }
  }
}

function infoOf(disk: ReadableDisk): Buffer {
  const bytes = Buffer.alloc(12)
  bytes.writeBigUInt64BE(BigInt(disk.sizeBytes), 2)
  bytes.writeUInt16BE(transmissionFlags, 10)
  return bytes
}

function optionReply(option: number, type: number, data: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(20)
  head.writeBigUInt64BE(replyMagic, 0)
  head.writeUInt32BE(option, 8)
  head.writeUInt32BE(type, 12)
  head.writeUInt32BE(data.length, 16)
  return Buffer.concat([head, data])
}

function simpleReply(cookie: Buffer, error: number): Buffer {
  const head = Buffer.alloc(16)
  head.writeUInt32BE(simpleReplyMagic, 0)
  head.writeUInt32BE(error, 4)
  cookie.copy(head, 8)
  return head
}

/** So many bytes as are asked for, in their order. */
class Reader {
  private readonly socket: Socket

  constructor(socket: Socket) {
    this.socket = socket
  }

  async take(count: number): Promise<Buffer> {
    if (count === 0) return Buffer.alloc(0)
    for (;;) {
      const bytes = this.socket.read(count) as Buffer | null
      if (bytes?.length === count) return bytes
      if (bytes !== null || this.socket.readableEnded || this.socket.destroyed) throw new Error('hung up')
      await new Promise<void>((resolve) => {
        const done = () => {
          this.socket.off('readable', done)
          this.socket.off('close', done)
          this.socket.off('end', done)
          resolve()
        }
        this.socket.on('readable', done)
        this.socket.on('close', done)
        this.socket.on('end', done)
      })
    }
  }
}
