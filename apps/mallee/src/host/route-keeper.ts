import { blockContains, errorMessage, parseCidr, parseIpv4, type Log } from '@mallee/base'
import { adminCall } from '../admin-client.ts'
import type { Layout } from '../layout.ts'
import { run } from '../program.ts'
import { adminSocket } from './daemons.ts'
import { routeProtocol } from './node-host.ts'

/** A public address is to be reached at another machine within a second of its move. */
const lookEveryMs = 500
/** Looks after which the kernel is asked although the cloud says the same: somebody may have changed its routes. */
const kernelEvery = 20

interface PublicRoute {
  readonly address: string
  readonly via: string
}

/**
 * The machine of an embedded cloud sends the whole public pool to its own node. Addresses of guests on other nodes get
 * a route of their own to that node, from what the cloud says; while it says nothing, routes stay as they are.
 */
export class RouteKeeper {
  private readonly layout: Layout
  private readonly log: Log
  private timer: NodeJS.Timeout | null = null
  private turn: Promise<void> | null = null
  private looks = 0
  /** What the kernel was last brought to; null after a failure. */
  private settled: string | null = null

  constructor(options: { layout: Layout; log: Log }) {
    this.layout = options.layout
    this.log = options.log
  }

  start(): void {
    this.timer = setInterval(() => {
      this.turn ??= this.look().finally(() => (this.turn = null))
    }, lookEveryMs)
  }

  async stop(): Promise<void> {
    if (this.timer) clearInterval(this.timer)
    await this.turn
  }

  private async look(): Promise<void> {
    const routes = await adminCall<PublicRoute[]>(
      adminSocket(this.layout),
      'GET',
      '/admin/v1/public-routes',
    ).catch(() => null)
    if (!routes) return
    const said = JSON.stringify(routes)
    this.looks += 1
    if (said === this.settled && this.looks % kernelEvery !== 0) return
    this.settled = null
    try {
      const elsewhere = routes.filter((route) => route.via !== this.layout.nodeAddress)
      await this.set([], elsewhere)
      // Its own node refuses what is nobody's of the pool, and is told here who has the rest.
      const { netns, hostAddress } = this.layout
      await this.set(
        ['-n', netns],
        elsewhere.map(({ address }) => ({ address, via: hostAddress })),
      )
      this.settled = said
    } catch (error) {
      this.log.warn({ reason: errorMessage(error) }, 'routes to other nodes could not be set')
    }
  }

  private async set(where: readonly string[], wanted: readonly PublicRoute[]): Promise<void> {
    for (const line of routeChanges(wanted, await this.present(where)))
      await run('ip', [...where, 'route', ...line]).catch((error: unknown) =>
        this.log.warn({ reason: errorMessage(error), route: line[1] }, 'a route could not be set'),
      )
  }

  /** Our own routes within this cloud's pool. */
  private async present(where: readonly string[]): Promise<PublicRoute[]> {
    const pool = parseCidr(this.layout.choices.publicPool)!
    const text = await run('ip', [...where, '-j', 'route', 'show', 'proto', routeProtocol])
    const found = JSON.parse(text || '[]') as { dst: string; gateway?: string }[]
    return found.flatMap(({ dst, gateway }) => {
      const address = parseIpv4(dst)
      return gateway !== undefined && address !== null && blockContains(pool, address)
        ? [{ address: dst, via: gateway }]
        : []
    })
  }
}

/** Words for `ip route`: what is lacking, then what is too much. Pure. */
export function routeChanges(wanted: readonly PublicRoute[], present: readonly PublicRoute[]): string[][] {
  const there = new Map(present.map((route) => [route.address, route.via]))
  const stays = new Set(wanted.map((route) => route.address))
  return [
    ...wanted
      .filter((route) => there.get(route.address) !== route.via)
      .map((route) => ['replace', `${route.address}/32`, 'via', route.via, 'proto', routeProtocol]),
    ...present
      .filter((route) => !stays.has(route.address))
      .map((route) => ['del', `${route.address}/32`, 'proto', routeProtocol]),
  ]
}
