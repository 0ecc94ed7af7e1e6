import { defineEc2Action } from '../define-action.ts'
import { readInstanceRows } from '../../views/read-instances.ts'
import { blockDeviceView, rootDeviceNameOf, type InstanceRows } from '../../views/instance-view.ts'
import { requireInstances } from '../require-instances.ts'

/** What each attribute says of an instance; one without a value is an empty element, as EC2 has it. */
const attributes = {
  blockDeviceMapping: ({ volumes }) => ({ BlockDeviceMappings: volumes.map(blockDeviceView) }),
  disableApiStop: ({ instance }) => ({ DisableApiStop: { Value: instance.api_stop_disabled === 1 } }),
  disableApiTermination: ({ instance }) => ({
    DisableApiTermination: { Value: instance.api_termination_disabled === 1 },
  }),
  ebsOptimized: () => ({ EbsOptimized: { Value: false } }),
  enaSupport: () => ({ EnaSupport: { Value: false } }),
  enclaveOptions: () => ({ EnclaveOptions: { Enabled: false } }),
  groupSet: ({ interfaces }) => ({
    Groups: (interfaces.find((entry) => entry.device_index === 0)?.groups ?? []).map((group) => ({
      GroupId: group.id,
      GroupName: group.name,
    })),
  }),
  instanceInitiatedShutdownBehavior: ({ instance }) => ({
    InstanceInitiatedShutdownBehavior: { Value: instance.shutdown_behavior },
  }),
  instanceType: ({ instance }) => ({ InstanceType: { Value: instance.instance_type } }),
  kernel: ({ instance }) => ({ KernelId: valueOf(instance.kernel_id) }),
  productCodes: () => ({ ProductCodes: [] }),
  ramdisk: ({ instance }) => ({ RamdiskId: valueOf(instance.ramdisk_id) }),
  rootDeviceName: (rows) => ({ RootDeviceName: { Value: rootDeviceNameOf(rows) } }),
  sourceDestCheck: ({ interfaces }) => ({
    SourceDestCheck: { Value: interfaces.every((entry) => entry.source_dest_check === 1) },
  }),
  sriovNetSupport: () => ({ SriovNetSupport: {} }),
  userData: ({ instance }) => ({ UserData: valueOf(instance.user_data) }),
} as const satisfies Record<string, (rows: InstanceRows) => object>

function valueOf(value: string | null): { Value?: string } {
  return value === null ? {} : { Value: value }
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceAttribute.html */
export const describeInstanceAttribute = defineEc2Action('DescribeInstanceAttribute', {
  honours: ['InstanceId', 'Attribute'],
  async run(ctx, input) {
    return ctx.read(async (db) => {
      const found = await requireInstances(ctx, db, [input.InstanceId])
      const [rows] = await readInstanceRows(db, ctx.scope, found)
      return { InstanceId: input.InstanceId, ...attributes[input.Attribute](rows!) }
    })
  },
})
