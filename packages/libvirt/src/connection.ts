/**
 * A connection to one libvirt. `connectLibvirt` opens the socket, logs in where libvirt wants no password,
 * opens the hypervisor named by `uri` and gives all calls in one flat object. A connection that is lost
 * stays lost: making a new one, and deciding what to do about calls whose effect is unknown, is for the user
 * of it.
 */
import { deviceCalls } from './device-calls.ts'
import { domainMaking, domainPower, domainQueries } from './domain-calls.ts'
import type { DomainRef } from './domain-calls.ts'
import { LibvirtConnectionError } from './errors.ts'
import { EventTable } from './events.ts'
import type { DomainEventKind, DomainEvents, Unsubscribe } from './events.ts'
import { connectFlags } from './generated/enums.ts'
import { hostCalls } from './host-calls.ts'
import { Rpc, openSocket } from './rpc.ts'
import type { AnswerOf, ArgumentsOf, CallOptions, ProcedureName, RpcOptions } from './rpc.ts'
import { secretCalls } from './secret-calls.ts'
import { statsCalls } from './stats-calls.ts'
import { streamCalls } from './stream-calls.ts'

export interface ConnectOptions {
  /** libvirtd's read-write socket, e.g. /run/libvirt/libvirt-sock. */
  socketPath: string
  /** Hypervisor to open; 'test:///default' is libvirt's own pretended one. */
  uri?: string
  /** Each call, unless it says otherwise. */
  timeoutMs?: number
  /** Opening the hypervisor, which may probe emulators first. */
  connectTimeoutMs?: number
  /** Refuses calls that change something. */
  readOnly?: boolean
  /** Calls that may wait for an answer; more are refused with LibvirtBusyError. */
  maxPendingCalls?: number
  /** 0: no pings of our own (libvirt's are always answered). */
  keepaliveIntervalMs?: number
  /** Own pings that may go unanswered. */
  keepaliveCount?: number
  /** A listener threw. By default a process warning. */
  onListenerError?(error: unknown): void
}

type Calls = ReturnType<typeof hostCalls> &
  ReturnType<typeof domainQueries> &
  ReturnType<typeof domainMaking> &
  ReturnType<typeof domainPower> &
  ReturnType<typeof deviceCalls> &
  ReturnType<typeof statsCalls> &
  ReturnType<typeof secretCalls> &
  ReturnType<typeof streamCalls>

export interface LibvirtConnection extends Calls {
  /** Any procedure of the generated table, as it is on the wire. */
  call<P extends ProcedureName>(
    procedure: P,
    args: ArgumentsOf<P>,
    options?: CallOptions,
  ): Promise<AnswerOf<P>>
  /** Subscribes to one kind of event, of all domains or of one. Ends by itself with the connection. */
  onDomainEvent<Kind extends DomainEventKind>(
    kind: Kind,
    listener: (event: DomainEvents[Kind]) => void,
    options?: CallOptions & { domain?: DomainRef },
  ): Promise<Unsubscribe>
  /** The connection's end: null when `close` was called, else why. Called once; at once when it is over. */
  on(event: 'close', listener: (error: LibvirtConnectionError | null) => void): () => void
  /** Calls sent and not yet answered. */
  readonly pendingCalls: number
  readonly isClosed: boolean
  /** Says goodbye and closes. Calls still pending are rejected. Never throws, harmless when called twice. */
  close(): Promise<void>
}

const AUTH_NONE = 0
const AUTH_POLKIT = 2
const GOODBYE_TIMEOUT_MS = 1_000

async function logIn(rpc: Rpc, uri: string, readOnly: boolean, timeoutMs: number): Promise<void> {
  const { types } = await rpc.call('authList', undefined, { timeoutMs })
  if (types.length > 0 && !types.includes(AUTH_NONE)) {
    if (!types.includes(AUTH_POLKIT)) {
      throw new LibvirtConnectionError('libvirt wants a password (SASL), which this client does not have')
    }
    await rpc.call('authPolkit', undefined, { timeoutMs })
  }
  const flags = readOnly ? connectFlags.ro : 0
  await rpc.call('connectOpen', { name: uri, flags }, { timeoutMs })
}

/** The close listeners: each is told once, those who come late at once. */
class CloseListeners {
  private ended: { error: LibvirtConnectionError | null } | null = null
  private readonly listeners = new Set<(error: LibvirtConnectionError | null) => void>()
  private readonly onListenerError: (error: unknown) => void

  constructor(onListenerError: (error: unknown) => void) {
    this.onListenerError = onListenerError
  }

  get isClosed(): boolean {
    return this.ended !== null
  }

  add(listener: (error: LibvirtConnectionError | null) => void): () => void {
    if (this.ended !== null) this.tell(listener, this.ended.error)
    else this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  end(error: LibvirtConnectionError | null): void {
    this.ended = { error }
    for (const listener of this.listeners) this.tell(listener, error)
    this.listeners.clear()
  }

  private tell(
    listener: (error: LibvirtConnectionError | null) => void,
    error: LibvirtConnectionError | null,
  ): void {
    try {
      listener(error)
    } catch (thrown) {
      this.onListenerError(thrown)
    }
  }
}

function warn(error: unknown): void {
  process.emitWarning(
    `a libvirt event listener threw: ${error instanceof Error ? error.stack : String(error)}`,
  )
}

function rpcOptions(options: ConnectOptions, events: EventTable, closing: CloseListeners): RpcOptions {
  return {
    socketPath: options.socketPath,
    timeoutMs: options.timeoutMs ?? 10_000,
    connectTimeoutMs: options.connectTimeoutMs ?? 30_000,
    maxPendingCalls: options.maxPendingCalls ?? 4_096,
    keepaliveIntervalMs: options.keepaliveIntervalMs ?? 0,
    keepaliveCount: options.keepaliveCount ?? 5,
    onMessage: (procedure, body) => events.deliver(procedure, body),
    onClose: (error) => closing.end(error),
  }
}

/**
 * Connects to libvirt.
 * @throws LibvirtConnectionError when nobody listens or another log-in is wanted; LibvirtError when libvirt
 *   refuses the hypervisor; LibvirtTimeoutError
 */
export async function connectLibvirt(options: ConnectOptions): Promise<LibvirtConnection> {
  const onListenerError = options.onListenerError ?? warn
  const events = new EventTable(onListenerError)
  const closing = new CloseListeners(onListenerError)
  const settings = rpcOptions(options, events, closing)
  const socket = await openSocket(settings.socketPath, settings.connectTimeoutMs)
  const rpc = new Rpc(socket, settings)
  try {
    await logIn(rpc, options.uri ?? 'qemu:///system', options.readOnly ?? false, settings.connectTimeoutMs)
  } catch (error) {
    rpc.end(null)
    throw error
  }
  return {
    ...hostCalls(rpc),
    ...domainQueries(rpc),
    ...domainMaking(rpc),
    ...domainPower(rpc),
    ...deviceCalls(rpc),
    ...statsCalls(rpc),
    ...secretCalls(rpc),
    ...streamCalls(rpc),
    call: (procedure, args, callOptions) => rpc.call(procedure, args, callOptions),
    onDomainEvent: (
      kind,
      listener,
      { domain = null, ...callOptions }: CallOptions & { domain?: DomainRef | null } = {},
    ) => events.subscribe(rpc, kind, listener, domain, callOptions),
    on: (_event, listener) => closing.add(listener),
    get pendingCalls() {
      return rpc.pendingCalls
    },
    get isClosed() {
      return closing.isClosed
    },
    close: async () => {
      if (closing.isClosed) return
      // libvirt cleans up after a socket that just closes; the goodbye only lets its answers arrive.
      await rpc.call('connectClose', undefined, { timeoutMs: GOODBYE_TIMEOUT_MS }).catch(() => {})
      rpc.end(null)
    },
  }
}
