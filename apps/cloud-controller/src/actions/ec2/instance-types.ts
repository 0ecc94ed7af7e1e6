import { GiB } from '@mallee/base'
import { invalidInstanceType } from '@mallee/ec2-api'
import { mostInterfaces } from '../../store/interface-store.ts'
import { defaultQuotas } from '../../store/quota-store.ts'
import type { InstanceTypeTable } from '../../store/tables.ts'
import { defineEc2Action } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'

const fields: FilterFields<InstanceTypeTable> = {
  'auto-recovery-supported': () => [true],
  'bare-metal': () => [false],
  'burstable-performance-supported': () => [false],
  'current-generation': () => [true],
  'dedicated-hosts-supported': () => [false],
  'ebs-info.ebs-optimized-info.baseline-bandwidth-in-mbps': () => [],
  'ebs-info.ebs-optimized-info.baseline-iops': () => [],
  'ebs-info.ebs-optimized-info.baseline-throughput-in-mbps': () => [],
  'ebs-info.ebs-optimized-info.maximum-bandwidth-in-mbps': () => [],
  'ebs-info.ebs-optimized-info.maximum-iops': () => [],
  'ebs-info.ebs-optimized-info.maximum-throughput-in-mbps': () => [],
  'ebs-info.ebs-optimized-support': () => ['unsupported'],
  'ebs-info.encryption-support': () => ['supported'],
  'ebs-info.nvme-support': () => ['unsupported'],
  'free-tier-eligible': () => [false],
  'hibernation-supported': () => [false],
  hypervisor: () => [],
  'instance-storage-info.disk.count': () => [1],
  'instance-storage-info.disk.size-in-gb': (row) => [sizeInGB(row)],
  'instance-storage-info.disk.type': () => ['ssd'],
  'instance-storage-info.encryption-support': () => ['unsupported'],
  'instance-storage-info.nvme-support': () => ['unsupported'],
  'instance-storage-info.total-size-in-gb': (row) => [sizeInGB(row)],
  'instance-storage-supported': () => [true],
  'instance-type': (row) => [row.name],
  'memory-info.size-in-mib': (row) => [row.memory_mib],
  'network-info.efa-info.maximum-efa-interfaces': () => [],
  'network-info.efa-supported': () => [false],
  'network-info.ena-support': () => ['unsupported'],
  'network-info.encryption-in-transit-supported': () => [false],
  'network-info.ipv4-addresses-per-interface': () => [defaultQuotas['addresses-per-interface']],
  'network-info.ipv6-addresses-per-interface': () => [0],
  'network-info.ipv6-supported': () => [false],
  'network-info.maximum-network-cards': () => [1],
  'network-info.maximum-network-interfaces': () => [mostInterfaces],
  'network-info.network-performance': () => [],
  'processor-info.supported-architecture': () => ['x86_64'],
  'processor-info.sustained-clock-speed-in-ghz': () => [],
  'supported-boot-mode': () => ['legacy-bios'],
  'supported-root-device-type': () => ['ebs', 'instance-store'],
  'supported-usage-class': () => ['on-demand'],
  'supported-virtualization-type': () => ['hvm'],
  'vcpu-info.default-cores': (row) => [row.vcpus],
  'vcpu-info.default-threads-per-core': () => [1],
  'vcpu-info.default-vcpus': (row) => [row.vcpus],
  'vcpu-info.valid-cores': (row) => [row.vcpus],
  'vcpu-info.valid-threads-per-core': () => [1],
}

/** The cloud's own types, which its admin may change. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html */
export const describeInstanceTypes = defineEc2Action('DescribeInstanceTypes', {
  honours: ['InstanceTypes', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(fields, { tagged: false }),
  async run(ctx, input) {
    const names: readonly string[] = input.InstanceTypes ?? []
    return ctx.read(async (db) => {
      const rows = await db.selectFrom('instance_type').selectAll().execute()
      const unknown = names.filter((name) => !rows.some((row) => row.name === name))
      if (unknown.length > 0) throw invalidInstanceType(unknown)
      const { views, nextToken } = await describeThings(ctx, db, input, {
        things: rows.filter((row) => names.length === 0 || names.includes(row.name)),
        idOf: (row) => row.name,
        tagged: false,
        fields,
        exclusiveIds: names.length > 0,
        view,
      })
      return { InstanceTypes: views, NextToken: nextToken }
    })
  },
})

function sizeInGB(row: InstanceTypeTable): number {
  return Math.round((row.disk_gib * GiB) / (1000 * 1000 * 1000))
}

function view(row: InstanceTypeTable) {
  const totalGB = sizeInGB(row)
  return {
    InstanceType: row.name,
    CurrentGeneration: true,
    FreeTierEligible: false,
    SupportedUsageClasses: ['on-demand' as const],
    SupportedRootDeviceTypes: ['ebs' as const, 'instance-store' as const],
    SupportedVirtualizationTypes: ['hvm' as const],
    BareMetal: false,
    ProcessorInfo: { SupportedArchitectures: ['x86_64' as const] },
    VCpuInfo: { DefaultVCpus: row.vcpus, DefaultCores: row.vcpus, DefaultThreadsPerCore: 1 },
    MemoryInfo: { SizeInMiB: row.memory_mib },
    InstanceStorageSupported: true,
    InstanceStorageInfo: {
      TotalSizeInGB: totalGB,
      Disks: [{ SizeInGB: totalGB, Count: 1, Type: 'ssd' as const }],
      NvmeSupport: 'unsupported' as const,
      EncryptionSupport: 'unsupported' as const,
    },
    EbsInfo: {
      EbsOptimizedSupport: 'unsupported' as const,
      EncryptionSupport: 'supported' as const,
      NvmeSupport: 'unsupported' as const,
    },
    NetworkInfo: {
      MaximumNetworkInterfaces: mostInterfaces,
      Ipv4AddressesPerInterface: defaultQuotas['addresses-per-interface'],
      Ipv6Supported: false,
      EnaSupport: 'unsupported' as const,
    },
    // Terraform takes a type without this for none.
    PlacementGroupInfo: {
      SupportedStrategies: ['cluster' as const, 'partition' as const, 'spread' as const],
    },
    HibernationSupported: false,
    BurstablePerformanceSupported: false,
    DedicatedHostsSupported: false,
    AutoRecoverySupported: true,
    SupportedBootModes: ['legacy-bios' as const],
  }
}
