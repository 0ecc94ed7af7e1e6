import { metadataHost, routeProtocol, routerUplink } from './names.ts'
import type { RouterPlan, SubnetPlan } from './plan.ts'

/**
 * Where a router sends the packets of each subnet: a routing table for every gateway link, chosen by the link that they
 * came in on. What comes from the outside or from another VPC only ever goes to subnets. Pure: what is lacking and what
 * is too much, so that a packet in between finds the old way or the new one.
 */

/** Priority of our rules; the kernel's own are at 0, 32766 and 32767. */
const rulePriority = 1000
/** The tables of subnets begin here; their tags follow. */
const tableBase = 100_000
/** For what comes from another VPC. */
const inwardTable = 99_999

export interface RouterRoutes {
  /** `iif LINK lookup TABLE`, as rules. */
  readonly rules: readonly string[]
  /** `TABLE DESTINATION …`, as routes. */
  readonly routes: readonly string[]
}

export function plannedRouterRoutes(router: RouterPlan): RouterRoutes {
  const local = router.subnets.map((subnet) => `${subnet.cidr} dev ${subnet.gatewayLink}`)
  const ruled = router.subnets.filter((subnet) => subnet.routes !== null)
  return {
    rules: [
      ...ruled.map((subnet) => `iif ${subnet.gatewayLink} lookup ${tableBase + subnet.tag}`),
      ...router.peers.map((peer) => `iif ${peer.link} lookup ${inwardTable}`),
    ],
    routes: [
      ...ruled.flatMap((subnet) =>
        routesOf(subnet, router, local).map((route) => `${tableBase + subnet.tag} ${route}`),
      ),
      ...(router.peers.length === 0
        ? []
        : [...local, 'unreachable default'].map((route) => `${inwardTable} ${route}`)),
    ],
  }
}

/** The routes of one subnet; of two with one destination the later counts. */
function routesOf(subnet: SubnetPlan, router: RouterPlan, local: readonly string[]): string[] {
  const routes = [
    ...router.cidrs.map((cidr) => `unreachable ${cidr}`),
    ...local,
    // Behind the metadata service's address, which the router has translated by now.
    `${metadataHost} dev ${routerUplink}`,
    ...(subnet.routes ?? []).map(({ destination, target }) => {
      // As the kernel says it again, or the route would be taken for another and removed.
      const to = destination === '0.0.0.0/0' ? 'default' : destination.replace(/\/32$/, '')
      switch (target.kind) {
        case 'up':
          return `${to} via ${metadataHost} dev ${routerUplink} onlink`
        case 'hop':
          return `${to} via ${target.address} dev ${linkOf(target.subnetId, router)} onlink`
        case 'peer':
          return peerRoute(to, target.peeringId, router)
        case 'blackhole':
          return `unreachable ${to}`
      }
    }),
    // Where no route leads, the main table must not be asked.
    ...((subnet.routes ?? []).some(({ destination }) => destination === '0.0.0.0/0')
      ? []
      : ['unreachable default']),
  ]
  return [...new Map(routes.map((route) => [destinationOf(route), route])).values()]
}

const linkOf = (subnetId: string, router: RouterPlan) =>
  router.subnets.find((candidate) => candidate.subnetId === subnetId)!.gatewayLink

function peerRoute(to: string, peeringId: string, router: RouterPlan): string {
  const peer = router.peers.find((candidate) => candidate.peeringId === peeringId)
  return peer ? `${to} via ${peer.peerAddress} dev ${peer.link} onlink` : `unreachable ${to}`
}

const destinationOf = (route: string) => route.replace('unreachable ', '').split(' ')[0]!

export interface RouteChanges {
  readonly lines: readonly string[]
}

/** Lines for `ip -batch` inside the router. */
export function routeChanges(wanted: RouterRoutes, present: RouterRoutes): string[] {
  const haveRules = new Set(present.rules)
  const haveRoutes = new Set(present.routes)
  const wantRules = new Set(wanted.rules)
  const stays = new Set(wanted.routes.map(keyOf))
  const inTable = (route: string) => {
    const [table, ...words] = route.split(' ')
    return `${words.join(' ')} table ${table}`
  }
  return [
    // A table is whole before a rule leads to it, and a rule is gone before its table is.
    ...wanted.routes
      .filter((route) => !haveRoutes.has(route))
      .map((route) => `route replace ${inTable(route)} proto ${routeProtocol}`),
    ...wanted.rules
      .filter((rule) => !haveRules.has(rule))
      .map((rule) => `rule add ${rule} priority ${rulePriority}`),
    ...present.rules
      .filter((rule) => !wantRules.has(rule))
      .map((rule) => `rule del ${rule} priority ${rulePriority}`),
    ...present.routes
      .filter((route) => !stays.has(keyOf(route)))
      .map((route) => `route del ${inTable(route)} proto ${routeProtocol}`),
  ]
}

const keyOf = (route: string) => {
  const [table, ...words] = route.split(' ')
  return `${table} ${destinationOf(words.join(' '))}`
}

type Json = Readonly<Record<string, unknown>>
const members = (answer: unknown) => (Array.isArray(answer) ? (answer as Json[]) : [])

/** `ip -json rule show` and `ip -json route show table all proto 190`. */
export function parseRouterRoutes(rules: unknown, routes: unknown): RouterRoutes {
  return {
    rules: members(rules).flatMap((rule) =>
      rule['priority'] === rulePriority ? [`iif ${String(rule['iif'])} lookup ${String(rule['table'])}`] : [],
    ),
    routes: members(routes).flatMap((route) => {
      if (route['table'] === undefined) return []
      const refused = route['type'] === 'unreachable'
      const gateway = route['gateway'] === undefined ? '' : ` via ${String(route['gateway'])}`
      const way = refused ? '' : `${gateway} dev ${String(route['dev'])}${gateway === '' ? '' : ' onlink'}`
      return [`${String(route['table'])} ${refused ? 'unreachable ' : ''}${String(route['dst'])}${way}`]
    }),
  }
}
