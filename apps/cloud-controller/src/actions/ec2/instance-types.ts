import { GiB } from '@mallee/base'
import { invalidInstanceType } from '@mallee/ec2-api'
import type { InstanceTypeTable } from '../../store/tables.ts'
import { defineEc2Action } from '../define-action.ts'
import { applyFilters } from '../filters.ts'
import { page } from '../pages.ts'

/** The cloud's own types, which its admin may change. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html */
export const describeInstanceTypes = defineEc2Action('DescribeInstanceTypes', {
  honours: ['InstanceTypes', 'Filters', 'MaxResults', 'NextToken', 'DryRun'],
  async run(ctx, input) {
    return ctx.read(async (db) => {
      const rows = await db.selectFrom('instance_type').selectAll().orderBy('name').execute()
      const names: readonly string[] = input.InstanceTypes ?? []
      const unknown = names.filter((name) => !rows.some((row) => row.name === name))
      if (unknown.length > 0) throw invalidInstanceType(unknown)
      const chosen = rows.filter((row) => names.length === 0 || names.includes(row.name))
      const found = applyFilters(chosen, input.Filters, {
        'instance-type': (row) => [row.name],
        'vcpu-info.default-vcpus': (row) => [row.vcpus],
        'memory-info.size-in-mib': (row) => [row.memory_mib],
        'instance-storage-supported': () => [true],
        'instance-storage-info.total-size-in-gb': (row) => [row.disk_gib],
        'processor-info.supported-architecture': () => ['x86_64'],
        'bare-metal': () => [false],
        'current-generation': () => [true],
        'supported-root-device-type': () => ['instance-store'],
        'supported-virtualization-type': () => ['hvm'],
        'supported-usage-class': () => ['on-demand'],
        'free-tier-eligible': () => [false],
      })
      const cut = page(found, input, {
        idOf: (row) => row.name,
        secret: `DescribeInstanceTypes ${ctx.caller.accountId}`,
        exclusiveIds: names.length > 0,
      })
      return { InstanceTypes: cut.items.map(view), NextToken: cut.nextToken }
    })
  },
})

function view(row: InstanceTypeTable) {
  const sizeInGB = Math.round((row.disk_gib * GiB) / (1000 * 1000 * 1000))
  return {
    InstanceType: row.name,
    CurrentGeneration: true,
    FreeTierEligible: false,
    SupportedUsageClasses: ['on-demand' as const],
    SupportedRootDeviceTypes: ['instance-store' as const],
    SupportedVirtualizationTypes: ['hvm' as const],
    BareMetal: false,
    ProcessorInfo: { SupportedArchitectures: ['x86_64' as const] },
    VCpuInfo: { DefaultVCpus: row.vcpus, DefaultCores: row.vcpus, DefaultThreadsPerCore: 1 },
    MemoryInfo: { SizeInMiB: row.memory_mib },
    InstanceStorageSupported: true,
    InstanceStorageInfo: {
      TotalSizeInGB: sizeInGB,
      Disks: [{ SizeInGB: sizeInGB, Count: 1, Type: 'ssd' as const }],
      NvmeSupport: 'unsupported' as const,
      EncryptionSupport: 'unsupported' as const,
    },
    EbsInfo: {
      EbsOptimizedSupport: 'unsupported' as const,
      EncryptionSupport: 'unsupported' as const,
      NvmeSupport: 'unsupported' as const,
    },
    NetworkInfo: {
      MaximumNetworkInterfaces: 1,
      Ipv4AddressesPerInterface: 1,
      Ipv6Supported: false,
      EnaSupport: 'unsupported' as const,
    },
    HibernationSupported: false,
    BurstablePerformanceSupported: false,
    DedicatedHostsSupported: false,
    AutoRecoverySupported: true,
    SupportedBootModes: ['legacy-bios' as const],
  }
}
