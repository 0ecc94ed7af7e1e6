import { baseRequests } from '../coverage/base-requests.ts'
import type { Parameters } from '../coverage/coverage-world.ts'
import type { NamingMember, Tenant } from './foreign-things.ts'

/** What goes with the first goes not with the second, of a request that names a thing of its own already. */
const clashes: readonly (readonly [RegExp, RegExp])[] = [
  [/^LaunchTemplate(?:Id|Name)$/, /^LaunchTemplate(?:Id|Name)$/],
  [/^Key(?:Name|PairId)$/, /^Key(?:Name|PairId)$/],
  [/^Group(?:Id|Name)$/, /^(?:Group(?:Id|Name)|PartitionNumber)$/],
  [/^SecurityGroupRuleId|^SourceSecurityGroupName$/, /^IpPermissions/],
  [/^SecurityGroupRuleDescription/, /^IpPermissions/],
  [/^SecurityGroupRule\.1\.\S+(?:PrefixListId|ReferencedGroupId)$/, /CidrIpv4$/],
  [/^(?:Security)?GroupId\.1$/, /^DisableApiTermination/],
  [/^BlockDeviceMapping/, /^ImageLocation$/],
  [/^PublicIp$/, /^A(?:lloca|ssocia)tionId$/],
  [/^NetworkInterfaceId$/, /^InstanceId$/],
  [/^SecurityGroupId\.1$/, /^Description\.Value$/],
  [/^(?:NatGateway|NetworkInterface|Instance|VpcPeeringConnection)Id$/, /^GatewayId$/],
  [/^DestinationPrefixListId$/, /^DestinationCidrBlock$/],
]

/** A request of the caller's own in which this member may name a thing. */
export async function requestAround(
  { action, parameter }: NamingMember,
  caller: Tenant,
): Promise<Parameters> {
  const base: Parameters = await baseRequests[action]!.request(caller)
  const kept = Object.entries(base).filter(
    ([name]) =>
      // There an interface is given to an instance; elsewhere either is named.
      action === 'AttachNetworkInterface' ||
      !clashes.some(([one, other]) => one.test(parameter) && other.test(name)),
  )
  const device = /^(?:LaunchTemplateData\.)?NetworkInterface\.1\./.exec(parameter)?.[0]
  const mapping = /^(?:LaunchTemplateData\.)?BlockDeviceMapping\.1\./.exec(parameter)?.[0]
  return {
    ...Object.fromEntries(kept),
    ...(device ? { [`${device}DeviceIndex`]: 0 } : {}),
    ...(mapping ? { [`${mapping}DeviceName`]: '/dev/sdf' } : {}),
  }
}
