import type { InstanceTypeTable } from './tables.ts'

const type = (name: string, vcpus: number, memory_mib: number, disk_gib: number): InstanceTypeTable => ({
  name,
  vcpus,
  memory_mib,
  disk_gib,
})

/**
 * The types that a new cloud begins with; the admin changes them as data. AWS's burstable families have AWS's vCPUs
 * and memory and a local disk, which AWS's have not; the Eucalyptus classics have the sizes of its versions 3.3 to 4.4.
 */
export const defaultInstanceTypes: InstanceTypeTable[] = [
  type('t3.nano', 2, 512, 8),
  type('t3.micro', 2, 1024, 8),
  type('t3.small', 2, 2048, 20),
  type('t3.medium', 2, 4096, 40),
  type('t3.large', 2, 8192, 80),
  type('t3.xlarge', 4, 16_384, 160),
  type('t2.nano', 1, 512, 8),
  type('t2.micro', 1, 1024, 8),
  type('t2.small', 1, 2048, 20),
  type('t2.medium', 2, 4096, 40),
  type('m5.large', 2, 8192, 80),
  type('m5.xlarge', 4, 16_384, 160),
  type('t1.micro', 1, 256, 5),
  type('m1.small', 1, 256, 5),
  type('m1.medium', 1, 512, 10),
  type('m1.large', 2, 512, 10),
  type('m1.xlarge', 2, 1024, 10),
  type('c1.medium', 2, 512, 10),
  type('c1.xlarge', 2, 2048, 10),
  type('m2.xlarge', 2, 2048, 10),
  type('m2.2xlarge', 2, 4096, 30),
  type('m2.4xlarge', 8, 4096, 60),
  type('m3.xlarge', 4, 2048, 15),
  type('m3.2xlarge', 4, 4096, 30),
]
