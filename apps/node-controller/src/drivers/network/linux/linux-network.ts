import { isDeepStrictEqual } from 'node:util'
import { blockContains, digestOf, errorMessage, parseCidr, parseIpv4, type Log } from '@mallee/base'
import type { VpcItem } from '@mallee/agent-contract'
import { fatal, passing } from '../../../node-error.ts'
import type { FlowWindow, InterfaceBytes, NetworkDriver, NetworkPart, NetworkPort } from '../driver.ts'
import {
  bytesOf,
  countingRuleset,
  listCounters,
  noCounters,
  noCountingRuleset,
  parseCounters,
} from './byte-counters.ts'
import { announce } from './announce.ts'
import type { Commands } from './commands.ts'
import { DhcpKeeper } from './dhcp-keeper.ts'
import { FlowCapture } from './flow-capture.ts'
import { deletion, forbiddenFlows, isNarrower } from './flows.ts'
import { idleTaps, networkParts, parseFirewallTaps } from './inventory.ts'
import { linkChanges, routerLinks, routerSettings, type ObservedNode } from './links.ts'
import {
  bridgeName,
  metadataHost,
  metadataPort,
  natPrefix,
  routeProtocol,
  tableName,
  tapName,
  tunnelOverhead,
} from './names.ts'
import { movedAddresses } from './moved-addresses.ts'
import { establishNatGateway, natGatewaysOf } from './nat-gateway.ts'
import { emptyRuleset, nodeRuleset } from './node-ruleset.ts'
import { numbersFor, noNumbers, readNumbers, writeNumbers, type Numbers } from './numbers.ts'
import { overlayChanges, parseOverlay } from './overlay.ts'
import { listNatGateways, listRouters } from './own-netns.ts'
import { parseAddresses, parseFlows, parseLinks, parseRoutes } from './parse.ts'
import { planNetwork, type NetworkPlan, type PortPlan, type RouterPlan } from './plan.ts'
import { joinPeers } from './peer-links.ts'
import { answerForPublicAddresses } from './public-arp.ts'
import { whyUnusable } from './preflight.ts'
import { routerNeighbours, staleNeighbours } from './router-neighbours.ts'
import { ResolverKeeper } from './resolver-keeper.ts'
import { parseRouterRoutes, plannedRouterRoutes, routeChanges } from './router-routes.ts'
import { routerRuleset } from './router-ruleset.ts'
import { rulesetChanges } from './ruleset-changes.ts'
import {
  ofRouter,
  readTranslations,
  staleTranslations,
  translationsOf,
  writeTranslations,
  type Translations,
} from './translations.ts'

const reviveEveryMs = 2_000
const outsideNames = 'names of the outside'
/** Bytes: Ethernet's, which guests have wherever the uplink leaves room for tunnels. */
const ordinaryMtu = 1500
const callsFilter = 'bridge/bridge-nf-call-iptables'

interface Options {
  readonly commands: Commands
  readonly routerPrefix: string
  readonly uplink: string
  readonly runDir: string
  readonly publicPool: string
  readonly nameServers: readonly string[] | null
  readonly log: Log
  readonly removeRunDir: () => Promise<void>
}

/** What was made true and is believed to be so; after any failure, and at first, nothing is. */
interface Believed {
  readonly network: readonly VpcItem[]
  readonly plan: NetworkPlan
  readonly nodeRules: string
  readonly routerRules: ReadonlyMap<string, string>
}

/**
 * Brings the kernel to the plan, in an order in which nothing is ever open that should be shut: the node's rules,
 * then links and routes, then routers, then DHCP; at last flows that lost their permission are cut, and what no VPC
 * has any more is removed. One application at a time.
 */
export class LinuxNetwork implements NetworkDriver {
  readonly metadataAddress = { host: metadataHost, port: metadataPort }
  private readonly options: Options
  private readonly dhcp: DhcpKeeper
  private readonly resolver: ResolverKeeper
  private readonly flows: FlowCapture
  /** What failed beside the network, to be tried again. */
  private readonly lacking = new Map<string, () => Promise<void>>()
  private numbers: Numbers = noNumbers
  private translations: Translations = {}
  private believed: Believed | null = null
  private askers = new Map<string, string>()
  private nodeAddress: string | null = null
  private mtu = ordinaryMtu
  private problems: readonly string[] = []
  private turn: Promise<unknown> = Promise.resolve()
  private announcing: Promise<void> = Promise.resolve()
  private timer: NodeJS.Timeout | null = null

  constructor(options: Options) {
    this.options = options
    this.dhcp = new DhcpKeeper(options)
    this.resolver = new ResolverKeeper(options)
    this.flows = new FlowCapture(options.commands)
  }

  async open(): Promise<void> {
    this.numbers = await readNumbers(this.options.runDir)
    this.translations = await readTranslations(this.options.runDir)
    await this.prepare()
    this.timer = setInterval(() => {
      void this.inTurn(() => this.revive()).catch((error: unknown) =>
        this.options.log.error({ reason: errorMessage(error) }, 'DHCP and DNS could not be started again'),
      )
    }, reviveEveryMs)
    this.timer.unref()
  }

  async fingerprint() {
    await this.inTurn(() => (this.problems.length > 0 ? this.prepare() : this.keepFiltering()))
    return { network: 'linux', address: this.nodeAddress, problems: this.problems }
  }

  port(vpc: VpcItem, interfaceId: string): NetworkPort {
    const entry = vpc.interfaces.find((candidate) => candidate.interfaceId === interfaceId)
    const subnet = vpc.subnets.find((candidate) => candidate.subnetId === entry?.subnetId)
    if (!subnet) throw new RangeError(`${vpc.vpcId} has no interface ${interfaceId}`)
    return {
      bridge: bridgeName(subnet.tag),
      tap: tapName(interfaceId),
      mtu: this.mtu === ordinaryMtu ? null : this.mtu,
    }
  }

  askerAt(address: string): string | null {
    return this.askers.get(address) ?? null
  }

  apply(network: readonly VpcItem[]): Promise<void> {
    return this.inTurn(async () => {
      // What the ledger did not take anew is the very same object, and so compared in no time.
      if (this.believed && isDeepStrictEqual(this.believed.network, network)) return this.revive()
      if (this.nodeAddress === null) await this.prepare()
      if (this.nodeAddress === null) throw passing('NetworkUnusable', this.problems.join(' '))
      const numbers = numbersFor(network, this.numbers)
      const plan = planNetwork(network, { numbers, routerPrefix: this.options.routerPrefix, mtu: this.mtu })
      if (digestOf(numbers) !== digestOf(this.numbers)) await writeNumbers(this.options.runDir, numbers)
      this.numbers = numbers
      const before = this.believed
      this.believed = null
      this.believed = { network, plan, ...(await this.establish(plan, before)) }
    })
  }

  bytes(): Promise<readonly InterfaceBytes[]> {
    return this.inTurn(async () =>
      this.believed ? bytesOf(this.believed.plan, await this.standingCounters()) : [],
    )
  }

  collectFlows(keep: (window: FlowWindow) => Promise<void>): Promise<void> {
    return this.inTurn(() => this.flows.collect(keep))
  }

  inventory(network: readonly VpcItem[]): Promise<readonly NetworkPart[]> {
    return this.inTurn(() => this.look(network))
  }

  /** A stray tap goes by itself if nothing holds it; anything else goes by making the network true anew. */
  async removeStray(part: Pick<NetworkPart, 'kind' | 'id'>, network: readonly VpcItem[]): Promise<void> {
    await this.inTurn(async () => {
      const found = (await this.look(network)).find(
        (entry) => entry.kind === part.kind && entry.id === part.id,
      )
      if (!found) return
      if (found.owner !== null) throw fatal('NotStray', `${part.id} belongs to ${found.owner}.`)
      this.believed = null
      if (part.kind !== 'tap') return
      const { commands } = this.options
      if (!idleTaps(await commands.ipJson(['link', 'show'])).has(part.id))
        throw fatal('InUse', `A process holds the tap ${part.id}.`)
      await commands.ip([`link del ${part.id}`])
    })
    if (part.kind !== 'tap') await this.apply(network)
  }

  removeAll(): Promise<void> {
    return this.inTurn(async () => {
      if (this.timer) clearInterval(this.timer)
      const { commands } = this.options
      this.believed = null
      this.lacking.clear()
      this.askers = new Map()
      await this.announcing
      await this.dhcp.stopAllBut(new Map())
      await this.resolver.apply(false)
      await answerForPublicAddresses(commands, noNetwork, { ...this.options, before: null })
      const gone = { publicPool: null, nodeAddress: '' }
      await commands.ip(linkChanges(noNetwork, await this.observe(), gone).remove)
      await commands.nft(`${emptyRuleset}\n${noCountingRuleset}`)
      await this.flows.remove()
      await commands.ip([`address del ${metadataHost}/32 dev lo`]).catch(() => {})
      await this.options.removeRunDir()
    })
  }

  async close(): Promise<void> {
    if (this.timer) clearInterval(this.timer)
    await this.turn.catch(() => {})
    await this.announcing
  }

  private async revive(): Promise<void> {
    await this.dhcp.revive()
    for (const [what, work] of this.lacking) await this.beside(what, work)
    if (!this.lacking.has(outsideNames)) await this.beside(outsideNames, () => this.resolver.revive())
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work, work)
    this.turn = result.catch(() => {})
    return result
  }

  /** What must be there once and for all; whatever stands in the way becomes a problem of the fingerprint. */
  private async prepare(): Promise<void> {
    const { commands, uplink, publicPool } = this.options
    try {
      // First of all, so that the metadata server can listen whatever else is amiss.
      const addresses = parseAddresses(await commands.ipJson(['address', 'show']))
      if (!addresses.get('lo')?.includes(`${metadataHost}/32`))
        await commands.ip([`address replace ${metadataHost}/32 dev lo`])
      this.problems = await whyUnusable(commands)
      if (!parseCidr(publicPool)) this.problems = [...this.problems, `${publicPool} is no address block.`]
      const [own] = addresses.get(uplink) ?? []
      if (own === undefined) this.problems = [...this.problems, `The uplink ${uplink} has no address.`]
      if (this.problems.length > 0 || own === undefined) return
      await commands.sysctl({ 'ipv4/ip_forward': 1, [callsFilter]: 1 })
      this.nodeAddress = own.split('/')[0]!
      const [link] = (await commands.ipJson(['link', 'show', 'dev', uplink])) as { mtu?: number }[]
      this.mtu = Math.min(ordinaryMtu, (link?.mtu ?? ordinaryMtu) - tunnelOverhead)
    } catch (error) {
      this.problems = [`The network cannot be used: ${errorMessage(error)}`]
    }
  }

  /** Somebody else's sysctl.d may turn it off, and every security group with it. */
  private async keepFiltering(): Promise<void> {
    const { commands, log } = this.options
    if ((await commands.readSysctl(callsFilter)) === '1') return
    log.error({}, `${callsFilter} was turned off, which opens every security group; it is turned on again`)
    await commands.sysctl({ [callsFilter]: 1 })
  }

  private async look(network: readonly VpcItem[]): Promise<NetworkPart[]> {
    const { commands, routerPrefix } = this.options
    const { links, routers, natGateways } = await this.observe()
    const sets = await commands
      .run('nft', ['-j', 'list', 'set', 'bridge', tableName, 'taps'])
      .catch(() => '{}') // no table, no ports
    const standing = {
      links,
      routers,
      natGateways,
      dhcp: await this.dhcp.list(),
      firewallTaps: parseFirewallTaps(sets),
    }
    return networkParts(standing, network, routerPrefix)
  }

  private async observe(): Promise<ObservedNode> {
    const { commands, routerPrefix } = this.options
    const [links, routes, routers, natGateways] = await Promise.all([
      commands.ipJson(['-details', 'link', 'show']),
      commands.ipJson(['route', 'show', 'proto', String(routeProtocol)]),
      listRouters(routerPrefix),
      listNatGateways(natPrefix(routerPrefix)),
    ])
    return { links: parseLinks(links), routes: parseRoutes(routes), routers, natGateways }
  }

  private async establish(
    plan: NetworkPlan,
    before: Believed | null,
  ): Promise<{ nodeRules: string; routerRules: ReadonlyMap<string, string> }> {
    const { commands, uplink, publicPool, log } = this.options
    const nodeAddress = this.nodeAddress!
    const nodeRules = nodeRuleset(plan, { uplink, nodeAddress })
    if (nodeRules !== before?.nodeRules) await this.loadNodeRules(nodeRules, before?.nodeRules ?? null)
    if (!before || counted(before.plan) !== counted(plan)) await this.beside('bytes', () => this.count(plan))
    await this.beside('flows', () => this.flows.apply(plan))
    const observed = await this.observe()
    // Of a node in the pool, the whole pool is sent to it: what is nobody's must not be sent back.
    const own = isWithin(publicPool, nodeAddress) ? publicPool : null
    const changes = linkChanges(plan, observed, { publicPool: own, nodeAddress })
    await commands.ip(changes.add)
    await this.joinBridges(plan, before, changes.freshTunnels)
    const rejoined = await this.joinRouters(plan, before, changes.touched)
    const routerRules = new Map<string, string>()
    await Promise.all(
      plan.routers.map(async (router) => {
        const rules = routerRuleset(router, nodeAddress)
        routerRules.set(router.namespace, rules)
        const isNew = changes.touched.has(router.namespace) || rejoined.has(router.namespace)
        await this.establishRouter(router, rules, isNew ? null : before)
      }),
    )
    await this.beside('refused flows', () => this.flows.applyRouters(plan, changes.touched))
    await this.establishNatGateways(plan, before, changes.touched)
    const translations = translationsOf(plan.routers)
    if (digestOf(translations) !== digestOf(this.translations))
      await writeTranslations(this.options.runDir, translations)
    this.translations = translations
    this.askers = new Map(plan.ports.map((port) => [port.identity, port.interfaceId]))
    await this.dhcp.apply(plan)
    await this.beside(outsideNames, () => this.resolver.apply(plan.routers.length > 0))
    if (!before || isNarrower(before.plan, plan)) await this.cutForbidden(plan, before?.plan)
    await commands.ip(changes.remove)
    if (!before || publishedBy(before.plan) !== publishedBy(plan)) {
      const fresh = await answerForPublicAddresses(commands, plan, {
        ...{ uplink, publicPool, before: before?.plan ?? null },
      })
      // Guests are not kept waiting for it; one after the other, since they change a setting and back.
      this.announcing = this.announcing.then(() => announce(commands, fresh, { link: uplink, log }))
    }
    for (const { namespace, subnet, addresses } of before ? movedAddresses(before.plan, plan) : [])
      this.announcing = this.announcing.then(() =>
        announce(commands, addresses, { link: subnet.gatewayLink, namespace, log }),
      )
    return { nodeRules, routerRules }
  }

  private async count(plan: NetworkPlan): Promise<void> {
    await this.options.commands.nft(countingRuleset(plan, await this.standingCounters()))
  }

  /** Guests need their network more than anybody needs figures of it, or names of elsewhere. */
  private async beside(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
      this.lacking.delete(what)
    } catch (error) {
      // Tried again every two seconds, and said once.
      if (!this.lacking.has(what))
        this.options.log.error(
          { what, reason: errorMessage(error) },
          'the network stands, but not all beside it',
        )
      this.lacking.set(what, work)
    }
  }

  private standingCounters() {
    return this.options.commands.run('nft', listCounters).then(parseCounters, () => noCounters) // no table yet
  }

  private async loadNodeRules(rules: string, before: string | null): Promise<void> {
    const { commands, log } = this.options
    if (before !== null) {
      try {
        return await commands.nft(rulesetChanges(before, rules))
      } catch (error) {
        // Somebody else took rules of ours away, as a firewall that is loaded anew does.
        log.warn({ reason: errorMessage(error) }, 'the rules were not as they were left; all are loaded')
      }
    }
    await commands.nft(rules)
  }

  /** The tunnels' and bridges' knowledge of who is elsewhere. */
  private async joinBridges(
    plan: NetworkPlan,
    before: Believed | null,
    fresh: ReadonlySet<string>,
  ): Promise<void> {
    const remotes = (of: NetworkPlan) => digestOf(of.routers.map((router) => router.remotes))
    if (before && fresh.size === 0 && remotes(before.plan) === remotes(plan)) return
    const { commands } = this.options
    const [fdb, neighbours, links] = await Promise.all([
      commands.bridgeJson(['fdb', 'show']),
      commands.ipJson(['neigh', 'show', 'nud', 'permanent']),
      commands.ipJson(['link', 'show']),
    ])
    // What was left half-made is not fresh, and looks as if it were whole.
    const unsure = before ? fresh : new Set(plan.subnets.flatMap(({ tunnel }) => tunnel ?? []))
    const changes = overlayChanges(plan, parseOverlay(fdb, neighbours, parseLinks(links)), unsure)
    await commands.bridge(changes.bridge)
    await commands.ip(changes.ip)
  }

  private async joinRouters(
    plan: NetworkPlan,
    before: Believed | null,
    touched: ReadonlySet<string>,
  ): Promise<ReadonlySet<string>> {
    const peers = (of: NetworkPlan) =>
      digestOf(of.routers.map(({ namespace, peers: all }) => [namespace, all]))
    if (before && touched.size === 0 && peers(before.plan) === peers(plan)) return new Set()
    return joinPeers(this.options.commands, plan)
  }

  private async establishRouter(router: RouterPlan, rules: string, before: Believed | null): Promise<void> {
    const { commands } = this.options
    const { namespace } = router
    const old = before?.plan.routers.find((candidate) => candidate.namespace === namespace)
    if (before?.routerRules.get(namespace) !== rules) await commands.nft(rules, namespace)
    if (!old || shape(old) !== shape(router)) {
      const present = parseAddresses(await commands.ipJson(['address', 'show'], namespace))
      await commands.sysctl(routerSettings, namespace)
      await commands.ip(routerLinks(router, present), namespace)
      await this.establishRoutes(router)
    }
    if (!old || neighbours(old) !== neighbours(router))
      await commands.ip(
        staleNeighbours(router, await commands.ipJson(['neigh', 'show'], namespace)),
        namespace,
      )
    await commands.conntrack(
      staleTranslations(this.translations[namespace] ?? [], ofRouter(router)),
      namespace,
    )
  }

  private async establishRoutes(router: RouterPlan): Promise<void> {
    const { commands } = this.options
    const { namespace } = router
    const rules = await commands.ipJson(['rule', 'show'], namespace)
    const own = ['route', 'show', 'table', 'all', 'proto', String(routeProtocol)]
    const present = parseRouterRoutes(rules, await commands.ipJson(own, namespace))
    await commands.ip(routeChanges(plannedRouterRoutes(router), present), namespace)
  }

  private async establishNatGateways(
    plan: NetworkPlan,
    before: Believed | null,
    touched: ReadonlySet<string>,
  ): Promise<void> {
    const former = new Map(
      (before ? natGatewaysOf(before.plan) : []).map((old) => [old.namespace, digestOf(old)]),
    )
    await Promise.all(
      natGatewaysOf(plan)
        .filter(
          (gateway) => touched.has(gateway.namespace) || former.get(gateway.namespace) !== digestOf(gateway),
        )
        .map((gateway) => establishNatGateway(this.options.commands, gateway)),
    )
  }

  private async cutForbidden(plan: NetworkPlan, former: NetworkPlan | undefined): Promise<void> {
    const { commands, log } = this.options
    const forbidden = forbiddenFlows(plan, parseFlows(await commands.listFlows()), former?.subnets)
    if (forbidden.length === 0) return
    await commands.conntrack(forbidden.map(deletion))
    log.info({ flows: forbidden.length }, 'flows that no rule allows any more were cut')
  }
}

const shape = (of: RouterPlan) => digestOf([of.address, of.subnets, of.peers, of.cidrs, of.nameServers])
const isWithin = (pool: string, address: string) => blockContains(parseCidr(pool)!, parseIpv4(address)!)
const neighbours = (of: RouterPlan) => digestOf([...routerNeighbours(of)])
const counted = (plan: NetworkPlan) => countingRuleset(plan, noCounters)
const publishedBy = (plan: NetworkPlan) => digestOf(plan.routers.map(({ published }) => published))

const noNetwork: NetworkPlan = {
  mtu: ordinaryMtu,
  routers: [],
  subnets: [],
  ports: [] as PortPlan[],
  groups: [],
  captured: [],
}
