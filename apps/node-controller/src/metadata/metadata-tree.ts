import {
  identityDocument,
  imageIdOf,
  primaryInterface,
  type DomainItem,
  type GuestInterface,
  type RoleCredentials,
} from '@mallee/agent-contract'
import { partitionLayout } from '../images/partition-layout.ts'

/**
 * What an instance may read of itself, as a tree: a leaf is its bytes, a branch its members in the order of their
 * listing. What the instance does not have is not in the tree. Keys and spellings are AWS's; cloud-init's Ec2 source
 * walks all of it by the listings.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-metadata-data-categories.html
 */
export type MetadataNode = string | Buffer | MetadataBranch
export interface MetadataBranch {
  readonly members: ReadonlyMap<string, MetadataNode>
  /** Where listings say something else than the names of the members. */
  readonly listing?: string
  /** AWS lists the top of a version without the slashes that mark branches. */
  readonly plain?: boolean
}

type Entry = readonly [string, MetadataNode | null | undefined]

/** Members that are null are absent. */
function branch(entries: readonly Entry[], rest: Omit<MetadataBranch, 'members'> = {}): MetadataBranch {
  const members = entries.flatMap(([name, node]) =>
    node === null || node === undefined ? [] : [[name, node] as const],
  )
  return { members: new Map(members), ...rest }
}

/** A guest that boots asks forty questions of one item, which is never changed but replaced by another. */
const trees = new WeakMap<DomainItem, MetadataBranch>()

export function metadataTree(item: DomainItem): MetadataBranch {
  const known = trees.get(item)
  if (known) return known
  const tree = makeTree(item)
  trees.set(item, tree)
  return tree
}

function makeTree(item: DomainItem): MetadataBranch {
  return branch(
    [
      [
        'dynamic',
        branch([
          ['fws', branch([['instance-monitoring', item.monitoring ? 'enabled' : 'disabled']])],
          ['instance-identity', identityBranch(item)],
        ]),
      ],
      ['meta-data', metaData(item)],
      ['user-data', item.userData ? Buffer.from(item.userData, 'base64') : null],
    ],
    { plain: true },
  )
}

/** What the cloud signed; a former one signed nothing. */
function identityBranch(item: DomainItem): MetadataBranch {
  const { identity } = item
  const pkcs7 = identity?.pkcs7.match(/.{1,64}/g)?.join('\n')
  return branch([
    ['document', identity?.document ?? identityDocument(item)],
    ['pkcs7', pkcs7],
    ['rsa2048', pkcs7],
    ['signature', identity?.signature],
  ])
}

function metaData(item: DomainItem): MetadataBranch {
  const primary = primaryInterface(item)
  return branch([
    ['ami-id', imageIdOf(item)],
    ['ami-launch-index', String(item.launchIndex)],
    ['ami-manifest-path', '(unknown)'],
    ['block-device-mapping', blockDevices(item)],
    // There is no maintenance that an instance would be told of; asked for spot's notices, it is not a spot instance.
    [
      'events',
      branch([
        [
          'maintenance',
          branch([
            ['history', '[]'],
            ['scheduled', '[]'],
          ]),
        ],
      ]),
    ],
    ['hibernation', branch([['configured', 'false']])],
    ['hostname', item.privateDnsName],
    // What is in it is asked for apart: see iamBranch.
    ['iam', item.instanceProfile && branch([])],
    ['instance-action', 'none'],
    ['instance-id', item.instanceId],
    ['instance-life-cycle', 'on-demand'],
    ['instance-type', item.instanceType],
    ['kernel-id', item.kernel?.imageId],
    ['local-hostname', item.privateDnsName],
    ['local-ipv4', primary?.privateIp],
    ['mac', primary?.mac],
    ['network', networkBranch(item)],
    [
      'placement',
      branch([
        ['availability-zone', item.availabilityZone],
        ['group-name', item.placementGroup?.name],
        ['partition-number', item.placementGroup?.partition?.toString()],
        ['region', item.region],
      ]),
    ],
    ['public-hostname', primary?.publicIp ? item.publicDnsName || null : null],
    ['public-ipv4', primary?.publicIp],
    ['public-keys', publicKeys(item)],
    ['ramdisk-id', item.ramdisk?.imageId],
    ['reservation-id', item.reservationId],
    ['security-groups', primary && lines(primary.securityGroupNames)],
    [
      'services',
      branch([
        ['domain', 'amazonaws.com'],
        ['partition', 'aws'],
      ]),
    ],
    ['tags', tagsBranch(item)],
  ])
}

/**
 * `meta-data/iam` of an instance with a profile. What a role has no credentials for is told by its code.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
 */
export function iamBranch(
  profile: NonNullable<DomainItem['instanceProfile']>,
  credentials: RoleCredentials,
): MetadataBranch {
  const { code, message, roleName, expiresAtMs } = credentials
  const updated = { Code: code, LastUpdated: seconds(credentials.updatedAtMs) }
  const secret =
    code === 'Success'
      ? {
          ...updated,
          Type: 'AWS-HMAC',
          AccessKeyId: credentials.accessKeyId,
          SecretAccessKey: credentials.secretAccessKey,
          Token: credentials.token,
          Expiration: seconds(expiresAtMs!),
        }
      : { ...updated, Message: message }
  return branch([
    ['info', json({ ...updated, InstanceProfileArn: profile.arn, InstanceProfileId: profile.id })],
    ['security-credentials', roleName === undefined ? null : branch([[roleName, json(secret)]])],
  ])
}

const json = (value: unknown) => JSON.stringify(value, null, 2)
const seconds = (atMs: number) => new Date(atMs).toISOString().replace(/\.\d{3}Z$/, 'Z')

/** Names as EC2 has them; a guest whose bus calls its disks otherwise knows how to read them (sda2 is its vda2). */
function blockDevices(item: DomainItem): MetadataBranch {
  const root = item.rootDeviceName
  const bare = root.replace(/^\/dev\//, '')
  const made =
    item.machine?.layout === 'partition'
      ? partitionLayout({ imageBytes: item.machine.sizeBytes, diskGiB: item.diskGiB }).partitions
      : []
  const disk = bare.replace(/[0-9]+$/, '')
  const partition = (wanted: string) => {
    const found = made.find(({ name }) => name === wanted)
    return found && `${disk}${found.number}`
  }
  const volumes = (item.volumes ?? []).map(({ device }) => device.replace(/^\/dev\//, ''))
  const further = volumes.filter((device) => device !== bare)
  return branch([
    ['ami', bare],
    ...further.toSorted().map((device, index) => [`ebs${index + 1}`, device] as const),
    ['ephemeral0', partition('ephemeral0')],
    ['root', root],
    ['swap', partition('swap')],
  ])
}

/** The listing names the key, which no other path does. */
function publicKeys(item: DomainItem): MetadataBranch | null {
  if (item.publicKey === null) return null
  const key = item.publicKey.endsWith('\n') ? item.publicKey : `${item.publicKey}\n`
  return branch([['0', branch([['openssh-key', key]])]], { listing: `0=${item.keyName ?? ''}` })
}

function tagsBranch(item: DomainItem): MetadataBranch | null {
  const tags = Object.entries(item.tags)
  if (!item.metadata.tagsEnabled || tags.length === 0) return null
  return branch([['instance', branch(tags.toSorted(([a], [b]) => (a < b ? -1 : 1)))]])
}

function networkBranch(item: DomainItem): MetadataBranch {
  const macs = item.interfaces.map((entry) => [entry.mac, interfaceBranch(item, entry)] as const)
  return branch([['interfaces', branch([['macs', branch(macs)]])]])
}

function interfaceBranch(item: DomainItem, entry: GuestInterface): MetadataBranch {
  const isPrimary = entry.deviceIndex === 0
  const publicName = isPrimary && entry.publicIp !== null ? item.publicDnsName || null : null
  const addresses = [entry, ...(entry.secondary ?? [])]
  const published = addresses.flatMap(({ publicIp, privateIp }) =>
    publicIp === null ? [] : [[publicIp, privateIp] as const],
  )
  return branch([
    ['device-number', String(entry.deviceIndex)],
    ['interface-id', entry.interfaceId],
    ['ipv4-associations', published.length === 0 ? null : branch(published)],
    ['local-hostname', isPrimary ? item.privateDnsName : null],
    ['local-ipv4s', lines(addresses.map(({ privateIp }) => privateIp))],
    ['mac', entry.mac],
    ['owner-id', item.accountId],
    ['public-hostname', publicName],
    ['public-ipv4s', lines(published.map(([publicIp]) => publicIp))],
    ['security-group-ids', lines(entry.securityGroupIds)],
    ['security-groups', lines(entry.securityGroupNames)],
    ['subnet-id', entry.subnetId],
    ['subnet-ipv4-cidr-block', entry.subnetCidr],
    ['vpc-id', entry.vpcId],
    ['vpc-ipv4-cidr-block', entry.vpcCidr],
    ['vpc-ipv4-cidr-blocks', lines(entry.vpcCidrs ?? [entry.vpcCidr])],
  ])
}

const lines = (values: readonly string[]) => (values.length === 0 ? null : values.join('\n'))

/** The node at a path of names, or null. */
export function lookUp(root: MetadataBranch, path: readonly string[]): MetadataNode | null {
  let node: MetadataNode = root
  for (const name of path) {
    if (typeof node === 'string' || Buffer.isBuffer(node)) return null
    const member: MetadataNode | undefined = node.members.get(name)
    if (member === undefined) return null
    node = member
  }
  return node
}

/** The bytes that a node is answered with: a leaf's own, a branch's listing. */
export function bytesOf(node: MetadataNode): string | Buffer {
  if (typeof node === 'string' || Buffer.isBuffer(node)) return node
  if (node.listing !== undefined) return node.listing
  return [...node.members]
    .map(([name, member]) => (isLeaf(member) || node.plain ? name : `${name}/`))
    .join('\n')
}

const isLeaf = (node: MetadataNode) => typeof node === 'string' || Buffer.isBuffer(node)
