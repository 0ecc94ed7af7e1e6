/**
 * Calls over one socket. Every call has a serial and its own clock; answers are matched by serial, so any
 * number of calls may be under way. (libvirtd works on five of one client's at a time by default,
 * `max_client_requests`, and leaves the others in the socket: a client whose calls hang should put them on a
 * connection of their own.)
 *
 * Nothing here throws into the event loop: bad bytes, a vanished socket or a failing listener end the
 * connection or are reported, and every call still waiting is rejected exactly once.
 */
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'
import {
  LibvirtBusyError,
  LibvirtConnectionError,
  LibvirtError,
  LibvirtProtocolError,
  LibvirtTimeoutError,
} from './errors.ts'
import { errorBody, procedures, programs } from './generated/procedures.ts'
import { Keepalive } from './keepalive.ts'
import {
  PacketAssembler,
  headerBytes,
  packetStatuses,
  packetTypes,
  readHeader,
  writeHeader,
} from './packet.ts'
import type { PacketHeader } from './packet.ts'
import { LibvirtStream } from './stream.ts'
import { XdrReader, XdrWriter } from './xdr.ts'
import type { XdrCodec, XdrValue } from './xdr.ts'

type Procedures = typeof procedures
/** The calls of the generated table. */
export type ProcedureName = keyof Procedures
/** What a call takes. */
export type ArgumentsOf<P extends ProcedureName> = XdrValue<Procedures[P]['args']>
/** What a call gives. */
export type AnswerOf<P extends ProcedureName> = XdrValue<Procedures[P]['ret']>

/** Settings of one call. */
export interface CallOptions {
  /** Instead of the connection's; the call is rejected with LibvirtTimeoutError after it. */
  timeoutMs?: number
}

/** Runs in the same turn in which the answer is read, before any later packet is looked at. */
type OnAnswer<P extends ProcedureName> = (answer: AnswerOf<P>) => void

interface Pending {
  procedure: ProcedureName
  timer: NodeJS.Timeout
  resolve(answer: unknown): void
  reject(error: Error): void
  onAnswer: ((answer: never) => void) | undefined
  stream: LibvirtStream | undefined
}

export interface RpcOptions {
  socketPath: string
  timeoutMs: number
  connectTimeoutMs: number
  maxPendingCalls: number
  keepaliveIntervalMs: number
  keepaliveCount: number
  /** A message that libvirt sent on its own: procedure number and body. */
  onMessage(procedure: number, body: XdrReader): void
  /** The connection is over; null when we closed it. Called once. */
  onClose(error: LibvirtConnectionError | null): void
}

/** Connects the socket. @throws LibvirtConnectionError when nobody listens, or not in time */
export function openSocket(socketPath: string, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path: socketPath })
    const fail = (cause: Error) => {
      clearTimeout(timer)
      socket.destroy()
      reject(new LibvirtConnectionError(`no connection to ${socketPath}: ${cause.message}`, { cause }))
    }
    const timer = setTimeout(() => fail(new Error(`nothing within ${timeoutMs} ms`)), timeoutMs)
    socket.once('error', fail)
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.off('error', fail)
      resolve(socket)
    })
  })
}

export class Rpc {
  private readonly options: RpcOptions
  private readonly socket: Socket
  private readonly assembler = new PacketAssembler()
  private readonly keepalive: Keepalive
  private readonly pending = new Map<number, Pending>()
  /** Streams by the serial of the call that opened them. */
  private readonly streams = new Map<number, LibvirtStream>()
  /** Stream calls given up before their answer: the stream they may yet open is aborted on sight. */
  private readonly givenUp = new Map<number, ProcedureName>()
  private lastSerial = 0
  private corked = false
  private ended: { error: LibvirtConnectionError | null } | null = null

  constructor(socket: Socket, options: RpcOptions) {
    this.socket = socket
    this.options = options
    this.keepalive = new Keepalive({
      intervalMs: options.keepaliveIntervalMs,
      count: options.keepaliveCount,
      send: (procedure) =>
        this.send(new XdrWriter(headerBytes), {
          program: programs.keepalive,
          procedure,
          type: packetTypes.message,
          serial: 0,
          status: packetStatuses.ok,
        }),
      onDead: () => this.end(new LibvirtConnectionError('libvirt no longer answers keepalive')),
    })
    socket.on('data', (chunk: Buffer) => this.receive(chunk))
    socket.on('error', (cause) => this.end(new LibvirtConnectionError(cause.message, { cause })))
    socket.on('close', () => this.end(new LibvirtConnectionError('libvirt closed the connection')))
  }

  /** Calls sent and not yet answered. */
  get pendingCalls(): number {
    return this.pending.size
  }

  /** Sends one call. Never throws; every failure is a rejection. */
  call<P extends ProcedureName>(
    procedure: P,
    args: ArgumentsOf<P>,
    options?: CallOptions,
    onAnswer?: OnAnswer<P>,
  ): Promise<AnswerOf<P>> {
    return this.start(procedure, args, options, onAnswer).answer as Promise<AnswerOf<P>>
  }

  /** Sends a call that opens a stream; gives both once libvirt has accepted it. */
  async callStream<P extends ProcedureName>(
    procedure: P,
    args: ArgumentsOf<P>,
    options?: CallOptions,
  ): Promise<{ answer: AnswerOf<P>; stream: LibvirtStream }> {
    const { answer, stream } = this.start(procedure, args, options, undefined, true)
    return { answer: (await answer) as AnswerOf<P>, stream: stream! }
  }

  /** Ends the connection; what is pending is rejected with `error`, or as closed when there is none. */
  end(error: LibvirtConnectionError | null): void {
    if (this.ended !== null) return
    this.ended = { error }
    this.keepalive.stop()
    this.socket.destroy()
    const reason = error ?? new LibvirtConnectionError('the connection was closed')
    for (const call of this.pending.values()) {
      clearTimeout(call.timer)
      call.reject(reason)
    }
    this.pending.clear()
    for (const stream of this.streams.values()) stream.settle(reason)
    this.streams.clear()
    this.givenUp.clear()
    this.options.onClose(error)
  }

  private start<P extends ProcedureName>(
    procedure: P,
    args: ArgumentsOf<P>,
    options: CallOptions = {},
    onAnswer?: OnAnswer<P>,
    opensStream = false,
  ): { answer: Promise<unknown>; stream: LibvirtStream | undefined } {
    const refused = this.refusal()
    if (refused !== null) return { answer: Promise.reject(refused), stream: undefined }
    const { program, number, args: codec } = procedures[procedure]
    const serial = this.nextSerial()
    const writer = new XdrWriter(headerBytes)
    try {
      ;(codec as XdrCodec<ArgumentsOf<P>>).encode(writer, args)
      const header = { program, procedure: number, type: packetTypes.call, serial, status: packetStatuses.ok }
      this.send(writer, header)
    } catch (error) {
      return { answer: Promise.reject(error as Error), stream: undefined }
    }
    const stream = opensStream ? new LibvirtStream(this.streamWire(program, number, serial)) : undefined
    const timeoutMs = options.timeoutMs ?? this.options.timeoutMs
    const answer = new Promise<unknown>((resolve, reject) => {
      const timer = setTimeout(() => this.giveUp(serial, timeoutMs), timeoutMs)
      this.pending.set(serial, { procedure, timer, resolve, reject, onAnswer, stream })
    })
    return { answer, stream }
  }

  private refusal(): Error | null {
    if (this.ended !== null)
      return this.ended.error ?? new LibvirtConnectionError('the connection was closed')
    if (this.pending.size < this.options.maxPendingCalls) return null
    return new LibvirtBusyError(this.options.maxPendingCalls)
  }

  private nextSerial(): number {
    do {
      this.lastSerial = this.lastSerial === 0xffffffff ? 1 : this.lastSerial + 1
    } while (this.pending.has(this.lastSerial) || this.streams.has(this.lastSerial))
    return this.lastSerial
  }

  private giveUp(serial: number, timeoutMs: number): void {
    const call = this.pending.get(serial)!
    this.pending.delete(serial)
    if (call.stream !== undefined) this.givenUp.set(serial, call.procedure)
    call.reject(new LibvirtTimeoutError(call.procedure, timeoutMs))
  }

  /** Packets of one turn of the event loop leave in one system call. */
  private send(writer: XdrWriter, header: Omit<PacketHeader, 'version'>): void {
    const packet = writeHeader(writer.bytes(), header)
    if (!this.corked) {
      this.corked = true
      this.socket.cork()
      process.nextTick(() => {
        this.corked = false
        this.socket.uncork()
      })
    }
    this.socket.write(packet)
  }

  private streamWire(program: number, procedure: number, serial: number) {
    const sendPart = (status: number, bytes?: Uint8Array) => {
      if (this.ended !== null) return
      const writer = new XdrWriter(headerBytes)
      if (bytes !== undefined) writer.raw(bytes)
      this.send(writer, { program, procedure, type: packetTypes.stream, serial, status })
    }
    return {
      data: (bytes: Uint8Array) => sendPart(packetStatuses.continue, bytes),
      finish: () => sendPart(packetStatuses.ok),
      abort: () => sendPart(packetStatuses.error),
    }
  }

  private receive(chunk: Buffer): void {
    this.keepalive.heard()
    try {
      this.assembler.push(chunk, (packet) => {
        if (this.ended === null) this.dispatch(packet)
      })
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause)
      this.end(new LibvirtConnectionError(`libvirt's answer was not understood: ${text}`, { cause }))
    }
  }

  private dispatch(packet: Buffer): void {
    const header = readHeader(packet)
    const body = new XdrReader(packet, headerBytes)
    if (header.program === programs.keepalive) {
      this.keepalive.received(header.procedure)
    } else if (header.type === packetTypes.reply) {
      this.dispatchAnswer(header, body)
    } else if (header.type === packetTypes.stream) {
      this.dispatchStream(header, body, packet)
    } else if (header.type === packetTypes.message) {
      this.options.onMessage(header.procedure, body)
    } else {
      throw new LibvirtProtocolError(`packet of type ${header.type} was not expected`)
    }
  }

  private dispatchAnswer(header: PacketHeader, body: XdrReader): void {
    const call = this.pending.get(header.serial)
    if (call === undefined) {
      this.dispatchLateAnswer(header)
      return
    }
    const entry = procedures[call.procedure]
    if (header.procedure !== entry.number || header.program !== entry.program) {
      throw new LibvirtProtocolError(`answer ${header.serial} is to another procedure than ${call.procedure}`)
    }
    const failed = header.status === packetStatuses.error
    // Decoded before the call is taken off: if this throws, the end of the connection rejects it.
    const answer = failed ? errorBody.decode(body) : entry.ret.decode(body)
    this.pending.delete(header.serial)
    clearTimeout(call.timer)
    if (failed) {
      call.reject(new LibvirtError(call.procedure, answer as XdrValue<typeof errorBody>))
      return
    }
    if (call.stream !== undefined) this.streams.set(header.serial, call.stream)
    call.onAnswer?.(answer as never)
    call.resolve(answer)
  }

  /** The caller has long been told that it took too long; only a stream must still be put away. */
  private dispatchLateAnswer(header: PacketHeader): void {
    const opened = this.givenUp.get(header.serial)
    if (opened === undefined) return
    this.givenUp.delete(header.serial)
    if (header.status === packetStatuses.ok) {
      this.streamWire(header.program, header.procedure, header.serial).abort()
    }
  }

  private dispatchStream(header: PacketHeader, body: XdrReader, packet: Buffer): void {
    const stream = this.streams.get(header.serial)
    if (stream === undefined) return
    if (header.status === packetStatuses.continue) {
      stream.deliver(packet.subarray(headerBytes))
      return
    }
    this.streams.delete(header.serial)
    const error =
      header.status === packetStatuses.error ? new LibvirtError('stream', errorBody.decode(body)) : null
    stream.settle(error)
  }
}
