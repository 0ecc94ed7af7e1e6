import type { FirewallRule, VpcItem } from '@mallee/agent-contract'

export const groupCount = 1_000
export const rulesEach = 100
/** As many as AWS lets an interface have, unless asked. */
const groupsOfInterface = 5

/** A rule that no other rule of the group could be merged with. */
const rule = (group: number, index: number): FirewallRule => ({
  protocol: '6',
  fromPort: 10_000 + index,
  toPort: 10_000 + index,
  cidr: `10.${group % 250}.${index}.0/24`,
  peerGroupId: null,
})

export interface ManyRulesWish {
  /** One of the rules is another. */
  readonly changed?: number
}

/** One VPC with 200 interfaces here, each in five groups of a hundred rules. */
export function manyRules(wish: ManyRulesWish = {}): VpcItem {
  const groupIds = Array.from(
    { length: groupCount },
    (_none, group) => `sg-${String(group).padStart(17, '0')}`,
  )
  const hex = (value: number, width: number) => value.toString(16).padStart(width, '0')
  return {
    vpcId: 'vpc-6',
    cidr: '10.60.0.0/16',
    tag: 6,
    subnets: [{ subnetId: 'subnet-61', cidr: '10.60.0.0/16', tag: 61, availabilityZone: 'us-east-1a' }],
    interfaces: Array.from({ length: groupCount / groupsOfInterface }, (_none, index) => ({
      interfaceId: `eni-${hex(index + 1, 17)}`,
      instanceId: `i-${hex(index + 1, 17)}`,
      subnetId: 'subnet-61',
      mac: `02:00:5e:00:06:${hex(index, 2)}`,
      privateIp: `10.60.0.${10 + index}`,
      publicIp: null,
      hostname: `ip-10-60-0-${10 + index}.ec2.internal`,
      sourceDestCheck: true,
      securityGroupIds: groupIds.slice(index * groupsOfInterface, (index + 1) * groupsOfInterface),
      metadataHopLimit: 2,
    })),
    securityGroups: groupIds.map((groupId, group) => ({
      groupId,
      ingress: Array.from({ length: rulesEach }, (_none, index) =>
        wish.changed !== undefined && group === 0 && index === 0
          ? { ...rule(group, index), toPort: 20_000 + wish.changed }
          : rule(group, index),
      ),
      egress: [],
    })),
    peerAddresses: {},
  }
}

/** The same rules, a chain for each group, and nothing else; and the text that changes one of them. */
export function plainRules(): { whole: string; oneChanged: string } {
  const chains = manyRules().securityGroups.map(({ groupId, ingress }) => {
    const lines = ingress.map(
      ({ cidr, fromPort, toPort }) => `ip saddr ${cidr} tcp dport ${fromPort}-${toPort} accept`,
    )
    return `chain ${groupId.replace('-', '_')} {\n${lines.join('\n')}\n}`
  })
  const replaced = 'table inet plain\ndelete table inet plain\n'
  const name = /^chain (\S+)/.exec(chains[0]!)![1]!
  return {
    whole: `${replaced}table inet plain {\n${chains.join('\n')}\n}\n`,
    oneChanged: `flush chain inet plain ${name}\ntable inet plain {\n${chains[0]}\n}\n`,
  }
}
