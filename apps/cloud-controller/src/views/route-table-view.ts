import type { Ec2, Tag } from '@mallee/ec2-api'
import type { VpcCidrTable } from '../store/network-tables.ts'
import type { RouteFacts } from '../store/route-store.ts'
import type { RouteTableAssociationTable, RouteTableTable } from '../store/routing-tables.ts'

export interface RouteTableRows {
  readonly table: RouteTableTable
  readonly cidrs: readonly VpcCidrTable[]
  readonly routes: readonly RouteFacts[]
  readonly associations: readonly RouteTableAssociationTable[]
}

export function routeTableView(rows: RouteTableRows, tags: Tag[]): Ec2.RouteTable {
  const { table, associations } = rows
  return {
    RouteTableId: table.id,
    VpcId: table.vpc_id,
    OwnerId: table.account_id,
    Routes: routeViews(rows),
    Associations: associations.map(associationView),
    PropagatingVgws: [],
    Tags: tags,
  }
}

/** The local ones first: of each of the VPC's address blocks. */
export function routeViews({ table, cidrs, routes }: RouteTableRows): Ec2.Route[] {
  const local = cidrs.map((row): Ec2.Route => ({
    DestinationCidrBlock: row.cidr,
    GatewayId: 'local',
    Origin: 'CreateRouteTable',
    State: 'active',
  }))
  return [...local, ...routes.map((facts) => routeView(facts, table.account_id))]
}

function routeView({ route, active, instanceId }: RouteFacts, owner: string): Ec2.Route {
  return {
    ...(route.prefix_list_id === null
      ? { DestinationCidrBlock: route.destination }
      : { DestinationPrefixListId: route.prefix_list_id }),
    ...targetView(route),
    ...(instanceId === null ? {} : { InstanceId: instanceId, InstanceOwnerId: owner }),
    Origin: 'CreateRoute',
    State: active ? 'active' : 'blackhole',
  }
}

function targetView({ target_kind: kind, target_id: id }: RouteFacts['route']): Ec2.Route {
  switch (kind) {
    case 'internet-gateway':
      return { GatewayId: id }
    case 'nat-gateway':
      return { NatGatewayId: id }
    case 'network-interface':
      return { NetworkInterfaceId: id }
    case 'vpc-peering-connection':
      return { VpcPeeringConnectionId: id }
  }
}

export const associated = { State: 'associated' as const }

function associationView(row: RouteTableAssociationTable): Ec2.RouteTableAssociation {
  return {
    RouteTableAssociationId: row.id,
    RouteTableId: row.route_table_id,
    Main: row.is_main === 1,
    AssociationState: associated,
    ...(row.subnet_id === null ? {} : { SubnetId: row.subnet_id }),
  }
}
