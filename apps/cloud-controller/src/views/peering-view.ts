import type { Ec2, Tag } from '@mallee/ec2-api'
import type { VpcPeeringTable } from '../store/routing-tables.ts'

export interface PeeringRows {
  readonly peering: VpcPeeringTable
  readonly status: VpcPeeringTable['status']
  /** The address blocks of each VPC; none of one that is deleted. */
  readonly requesterCidrs: readonly string[]
  readonly accepterCidrs: readonly string[]
  readonly region: string
}

export function peeringView(rows: PeeringRows, tags: Tag[]): Ec2.VpcPeeringConnection {
  const { peering, status } = rows
  return {
    VpcPeeringConnectionId: peering.id,
    RequesterVpcInfo: sideView(rows, 'requester'),
    AccepterVpcInfo: sideView(rows, 'accepter'),
    Status: { Code: status, Message: status === peering.status ? peering.message : 'Expired' },
    Tags: tags,
    ...(status === 'pending-acceptance' && peering.expires_at !== null
      ? { ExpirationTime: new Date(peering.expires_at) }
      : {}),
  }
}

/** What the other side has is told only once it has accepted. */
function sideView(rows: PeeringRows, side: 'requester' | 'accepter'): Ec2.VpcPeeringConnectionVpcInfo {
  const { peering, status, region } = rows
  const isRequester = side === 'requester'
  const cidrs = isRequester ? rows.requesterCidrs : status === 'active' ? rows.accepterCidrs : []
  const dns = isRequester ? peering.requester_dns : peering.accepter_dns
  return {
    VpcId: isRequester ? peering.requester_vpc_id : peering.accepter_vpc_id,
    OwnerId: isRequester ? peering.account_id : peering.accepter_account_id,
    Region: region,
    ...(cidrs.length === 0
      ? {}
      : { CidrBlock: cidrs[0]!, CidrBlockSet: cidrs.map((cidr) => ({ CidrBlock: cidr })) }),
    ...(status === 'active' || isRequester ? { PeeringOptions: optionsView(dns) } : {}),
  }
}

export function optionsView(dns: 0 | 1) {
  return {
    AllowDnsResolutionFromRemoteVpc: dns === 1,
    AllowEgressFromLocalClassicLinkToRemoteVpc: false,
    AllowEgressFromLocalVpcToRemoteClassicLink: false,
  }
}
