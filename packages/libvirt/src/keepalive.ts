/**
 * libvirt's keepalive: PING is answered by PONG, always. Own pings are by choice, because a local socket
 * reports the death of its other end anyway, and because a libvirtd with all of a client's request slots
 * taken does not read that client's pings. Any byte received counts as a sign of life.
 */
const PING = 1
const PONG = 2

export interface KeepaliveOptions {
  /** 0: never ping. */
  intervalMs: number
  /** Pings that may stay unanswered. */
  count: number
  send(procedure: number): void
  onDead(): void
}

export class Keepalive {
  private readonly options: KeepaliveOptions
  private readonly timer: NodeJS.Timeout | null
  private unanswered = 0

  constructor(options: KeepaliveOptions) {
    this.options = options
    this.timer = options.intervalMs > 0 ? setInterval(() => this.tick(), options.intervalMs) : null
    this.timer?.unref()
  }

  /** Bytes arrived. */
  heard(): void {
    this.unanswered = 0
  }

  /** A packet of the keepalive program arrived. */
  received(procedure: number): void {
    if (procedure === PING) this.options.send(PONG)
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer)
  }

  private tick(): void {
    if (this.unanswered >= this.options.count) {
      this.options.onDead()
      return
    }
    this.unanswered++
    this.options.send(PING)
  }
}
