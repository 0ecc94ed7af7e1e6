import { formatIpv4 } from '@mallee/base'
import type { Ec2 } from '@mallee/ec2-api'
import type { MetadataOptions } from '@mallee/agent-contract'
import { instanceLifecycle } from '@mallee/lifecycles'
import type {
  ImageTable,
  InstanceTable,
  PlacementGroupTable,
  VolumeAttachmentTable,
  VpcTable,
} from '../store/tables.ts'
import type { ProfileOfInstance } from '../store/profile-association-store.ts'
import type { InterfaceAddress, InterfaceView } from '../store/network-store.ts'

/** Everything that EC2 says of an instance. */
export interface InstanceRows {
  readonly instance: InstanceTable
  readonly interfaces: readonly InterfaceView[]
  readonly image: ImageTable | undefined
  /** Gone where it was deleted after the instance was terminated. */
  readonly placementGroup: PlacementGroupTable | undefined
  readonly tags: readonly { Key: string; Value: string }[]
  readonly profile: ProfileOfInstance | undefined
  /** Root first. */
  readonly volumes: readonly VolumeAttachmentTable[]
}

export function instanceState(state: InstanceTable['state']): { Code: number; Name: InstanceTable['state'] } {
  return { Code: instanceLifecycle.states[state].code ?? 0, Name: state }
}

/** `ip-172-31-0-4.ec2.internal`, and `.REGION.compute.internal` outside us-east-1, as AWS names them. */
export function privateDnsName(region: string, address: number): string {
  const domain = region === 'us-east-1' ? 'ec2.internal' : `${region}.compute.internal`
  return `ip-${formatIpv4(address).replaceAll('.', '-')}.${domain}`
}

/**
 * `ec2-198-18-145-4.compute-1.internal`: AWS's form under a domain that is ours to answer for. Empty without an address,
 * and in a VPC that gives its instances no public names (ModifyVpcAttribute, `enableDnsHostnames`).
 */
export function publicDnsName(
  region: string,
  vpc: Pick<VpcTable, 'dns_hostnames'>,
  address: number | null,
): string {
  if (address === null || vpc.dns_hostnames === 0) return ''
  const domain = region === 'us-east-1' ? 'compute-1.internal' : `${region}.compute.internal`
  return `ec2-${formatIpv4(address).replaceAll('.', '-')}.${domain}`
}

export function instanceView(rows: InstanceRows, region: string): Ec2.Instance {
  const { instance, interfaces, image, placementGroup, profile, tags } = rows
  const primary = interfaces.find((entry) => entry.device_index === 0)
  const alive = instance.state !== 'terminated'
  return {
    InstanceId: instance.id,
    ImageId: instance.image_id,
    State: instanceState(instance.state),
    PrivateDnsName: primary ? privateDnsName(region, primary.private_ip) : '',
    PublicDnsName: primary ? publicDnsName(region, primary, primary.public_ip) : '',
    StateTransitionReason: transitionReason(instance),
    ...(instance.state_reason_code
      ? {
          StateReason: {
            Code: instance.state_reason_code,
            Message: instance.state_reason_message ?? instance.state_reason_code,
          },
        }
      : {}),
    ...(instance.key_name ? { KeyName: instance.key_name } : {}),
    ...(profile && alive ? { IamInstanceProfile: { Arn: profile.profile.arn, Id: profile.profile.id } } : {}),
    AmiLaunchIndex: instance.launch_index,
    ProductCodes: [],
    InstanceType: instance.instance_type,
    LaunchTime: new Date(instance.launched_at),
    Placement: {
      AvailabilityZone: instance.availability_zone,
      GroupName: placementGroup?.name ?? '',
      ...(placementGroup ? { GroupId: placementGroup.id } : {}),
      ...(instance.partition_number === null ? {} : { PartitionNumber: instance.partition_number }),
      Tenancy: 'default',
    },
    ...(instance.kernel_id ? { KernelId: instance.kernel_id } : {}),
    ...(instance.ramdisk_id ? { RamdiskId: instance.ramdisk_id } : {}),
    Monitoring: { State: instance.monitoring === 1 ? 'enabled' : 'disabled' },
    ...(alive && primary ? { SubnetId: instance.subnet_id, VpcId: instance.vpc_id } : {}),
    ...(primary ? { PrivateIpAddress: formatIpv4(primary.private_ip) } : {}),
    ...(primary?.public_ip ? { PublicIpAddress: formatIpv4(primary.public_ip) } : {}),
    Architecture: image?.architecture ?? 'x86_64',
    RootDeviceType: instance.root_device_type,
    RootDeviceName: rootDeviceNameOf(rows),
    BlockDeviceMappings: rows.volumes.map(blockDeviceView),
    VirtualizationType: 'hvm',
    ClientToken: instance.client_token ?? '',
    Tags: [...tags],
    SecurityGroups: primary?.groups.map((group) => ({ GroupId: group.id, GroupName: group.name })) ?? [],
    SourceDestCheck: primary ? primary.source_dest_check === 1 : true,
    Hypervisor: 'xen',
    NetworkInterfaces: interfaces.map((entry) => interfaceOfInstance(entry, region)),
    EbsOptimized: false,
    EnaSupport: false,
    CpuOptions: { CoreCount: instance.vcpus, ThreadsPerCore: 1 },
    MetadataOptions: metadataOptionsView(instance),
  }
}

export function rootDeviceNameOf({ instance, image }: Pick<InstanceRows, 'instance' | 'image'>): string {
  return instance.root_device_name ?? image?.root_device_name ?? '/dev/sda1'
}

export function blockDeviceView(attachment: VolumeAttachmentTable) {
  return {
    DeviceName: attachment.device,
    Ebs: {
      VolumeId: attachment.volume_id,
      Status: attachment.state,
      AttachTime: new Date(attachment.attached_at),
      DeleteOnTermination: attachment.delete_on_termination === 1,
    },
  }
}

export function metadataOptionsView(instance: Pick<InstanceTable, 'state' | 'metadata_options'>) {
  const options = JSON.parse(instance.metadata_options) as MetadataOptions
  return {
    State: instance.state === 'pending' ? ('pending' as const) : ('applied' as const),
    HttpTokens: options.tokensRequired ? ('required' as const) : ('optional' as const),
    HttpPutResponseHopLimit: options.hopLimit,
    HttpEndpoint: options.endpointEnabled ? ('enabled' as const) : ('disabled' as const),
    HttpProtocolIpv6: 'disabled' as const,
    InstanceMetadataTags: options.tagsEnabled ? ('enabled' as const) : ('disabled' as const),
  }
}

export function transitionReason(instance: InstanceTable): string {
  if (!instance.state_reason_code?.startsWith('Client.User')) return ''
  const when = new Date(instance.state_changed_at).toISOString().replace('T', ' ').slice(0, 19)
  return `User initiated (${when} GMT)`
}

function interfaceOfInstance(entry: InterfaceView, region: string): Ec2.InstanceNetworkInterface {
  const association = (own: InterfaceAddress | undefined) =>
    !own || own.public_ip === null
      ? {}
      : {
          Association: {
            IpOwnerId: own.allocation_id === null ? 'amazon' : entry.account_id,
            PublicDnsName: publicDnsName(region, entry, own.public_ip),
            PublicIp: formatIpv4(own.public_ip),
          },
        }
  return {
    NetworkInterfaceId: entry.id,
    Attachment: {
      AttachmentId: entry.attachment_id ?? '',
      DeviceIndex: entry.device_index ?? 0,
      Status: entry.attachment_state ?? 'attached',
      AttachTime: new Date(entry.attached_at ?? entry.created_at),
      DeleteOnTermination: entry.delete_on_termination === 1,
      NetworkCardIndex: 0,
    },
    Description: entry.description,
    Groups: entry.groups.map((group) => ({ GroupId: group.id, GroupName: group.name })),
    MacAddress: entry.mac,
    OwnerId: entry.account_id,
    PrivateDnsName: privateDnsName(region, entry.private_ip),
    PrivateIpAddress: formatIpv4(entry.private_ip),
    PrivateIpAddresses: entry.addresses.map((own) => ({
      Primary: own.is_primary === 1,
      PrivateDnsName: privateDnsName(region, own.private_ip),
      PrivateIpAddress: formatIpv4(own.private_ip),
      ...association(own),
    })),
    SourceDestCheck: entry.source_dest_check === 1,
    Status: 'in-use',
    SubnetId: entry.subnet_id,
    VpcId: entry.vpc_id,
    InterfaceType: 'interface',
    ...association(entry.addresses[0]),
  }
}
