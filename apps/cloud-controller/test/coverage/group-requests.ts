import { ssh, type BaseRequest, type CoverageWorld } from './coverage-world.ts'
import {
  listRule,
  modifiedPrefixList,
  peerRule,
  prefixList,
  prefixListOf,
  referencedGroup,
  staleVpc,
  vpc,
} from './network-things.ts'

const bare: BaseRequest = { request: () => ({}) }
const nothing = () => ({})
const ofList: BaseRequest = { request: async (world) => ({ PrefixListId: await prefixList(world) }) }
const flatRule = { IpProtocol: 'tcp', FromPort: 22, ToPort: 22, CidrIp: '10.1.2.3/32' }

/** Every way in which a request names rules; `group`: one in which the first of them succeeds. */
const rules = (group: (world: CoverageWorld) => Promise<string>): BaseRequest => ({
  request: async (world) => ({ GroupId: await group(world), ...ssh }),
  others: [
    async (world) => ({ GroupId: await group(world), ...flatRule }),
    async (world) => ({ GroupId: await world.group(), ...(await world.peerRule()) }),
    async (world) => ({ GroupId: await world.group(), ...(await listRule(world)) }),
    peerRule,
    nothing,
  ],
})
const newRules = rules((world) => world.group())

/** By permission, or by the id of a rule. */
const descriptions = (side: 'Ingress' | 'Egress'): BaseRequest => {
  const named = rules((world) => world.groupWithRule(side))
  const byId = async (world: CoverageWorld) => {
    const { GroupId, ruleId } = await allowed(world, side)
    return { GroupId, 'SecurityGroupRuleDescription.1.SecurityGroupRuleId': ruleId }
  }
  // There is no older spelling of these.
  return { ...named, others: [...named.others!.slice(1), byId] }
}

async function allowed(world: CoverageWorld, side: 'Ingress' | 'Egress') {
  const GroupId = await world.group()
  const made = await world.call(`AuthorizeSecurityGroup${side}`, { GroupId, ...ssh })
  return { GroupId, ruleId: made.securityGroupRuleSet.item[0].securityGroupRuleId as string }
}

async function changedRule(world: CoverageWorld) {
  const { GroupId, ruleId } = await allowed(world, 'Ingress')
  return {
    GroupId,
    'SecurityGroupRule.1.SecurityGroupRuleId': ruleId,
    'SecurityGroupRule.1.SecurityGroupRule.IpProtocol': '-1',
    'SecurityGroupRule.1.SecurityGroupRule.CidrIpv4': '10.1.2.3/32',
  }
}

/** Of every action on security groups' rules and on prefix lists. */
export const groupRequests: Readonly<Record<string, BaseRequest>> = {
  AuthorizeSecurityGroupEgress: newRules,
  AuthorizeSecurityGroupIngress: newRules,
  CreateManagedPrefixList: { request: (world) => prefixListOf(world.name()) },
  DeleteManagedPrefixList: ofList,
  DescribeManagedPrefixLists: bare,
  DescribePrefixLists: bare,
  DescribeSecurityGroupReferences: {
    request: async (world) => ({ 'GroupId.1': await referencedGroup(world) }),
  },
  DescribeSecurityGroupRules: bare,
  DescribeStaleSecurityGroups: { request: async (world) => ({ VpcId: await staleVpc(world) }) },
  GetManagedPrefixListAssociations: {
    request: async (world) => {
      const rule = await listRule(world)
      await world.call('AuthorizeSecurityGroupIngress', { GroupId: await world.group(), ...rule })
      return { PrefixListId: rule['IpPermissions.1.PrefixListIds.1.PrefixListId'] }
    },
  },
  GetManagedPrefixListEntries: ofList,
  GetSecurityGroupsForVpc: { request: async (world) => ({ VpcId: await vpc(world) }) },
  ModifyManagedPrefixList: {
    request: async (world) => ({ PrefixListId: await prefixList(world), PrefixListName: world.name() }),
    others: [async (world) => ({ PrefixListId: await prefixList(world), 'AddEntry.1.Cidr': '10.3.0.0/16' })],
  },
  ModifySecurityGroupRules: { request: changedRule },
  RestoreManagedPrefixListVersion: {
    request: async (world) => ({
      ...{ PrefixListId: await modifiedPrefixList(world), PreviousVersion: 1, CurrentVersion: 2 },
    }),
  },
  RevokeSecurityGroupEgress: rules((world) => world.groupWithRule('Egress')),
  RevokeSecurityGroupIngress: rules((world) => world.groupWithRule('Ingress')),
  UpdateSecurityGroupRuleDescriptionsEgress: descriptions('Egress'),
  UpdateSecurityGroupRuleDescriptionsIngress: descriptions('Ingress'),
}
