import type { VpcItem } from '@mallee/agent-contract'
import { nodeRuleset } from './node-ruleset.ts'
import { numbersFor, type Numbers } from './numbers.ts'
import { planNetwork, type NetworkPlan } from './plan.ts'
import { plannedRouterRoutes } from './router-routes.ts'
import { routerRuleset } from './router-ruleset.ts'

/** What a node would load for these items, without a kernel: for simulations, and for whoever wants to read it. Pure. */
export interface RenderedNetwork {
  /** To be kept, and given again: they stay while their things exist. */
  readonly numbers: Numbers
  readonly plan: NetworkPlan
  /** Rules and routes, by what they are of: `node`, or a router's namespace. */
  readonly texts: Readonly<Record<string, string>>
}

export function renderNetwork(
  items: readonly VpcItem[],
  present: Numbers,
  options: { uplink: string; nodeAddress: string },
): RenderedNetwork {
  const numbers = numbersFor(items, present)
  const plan = planNetwork(items, { numbers, routerPrefix: 'n-r' })
  const ofRouters = plan.routers.map((router) => {
    const { rules, routes } = plannedRouterRoutes(router)
    return [router.namespace, [routerRuleset(router, options.nodeAddress), ...rules, ...routes].join('\n')]
  })
  return { numbers, plan, texts: { node: nodeRuleset(plan, options), ...Object.fromEntries(ofRouters) } }
}
