import {
  invalidConversionTaskId,
  invalidConversionTaskIdMalformed,
  invalidExportTaskIdNotFound,
  invalidFpgaImageIdNotFound,
} from '@mallee/ec2-api'
import { defineEc2Action } from '../define-action.ts'
import { applyFilters, filterNames, type FilterFields } from '../filters.ts'
import { pageOf } from '../pages.ts'

/**
 * The slow ways to make images and volumes that this cloud does not perform: nothing can be under way, so that the lists
 * are empty, and an id names nothing.
 */

const none = () => []
const noFields = (...names: string[]): FilterFields<never> =>
  Object.fromEntries(names.map((name) => [name, none]))

const importForm = /^import-(?:ami|snap|i|vol)-[0-9a-z]{8,17}$/

/** Throws InvalidConversionTaskId.Malformed. */
export function requireTaskForm(ids: readonly string[]): void {
  const malformed = ids.find((id) => !importForm.test(id))
  if (malformed !== undefined) throw invalidConversionTaskIdMalformed(malformed)
}

/** None of these can be there. Throws InvalidConversionTaskId, and besides what is malformed. */
export function refuseConversions(ids: readonly string[] | undefined): void {
  if (!ids || ids.length === 0) return
  requireTaskForm(ids)
  throw invalidConversionTaskId(ids)
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeConversionTasks.html */
export const describeConversionTasks = defineEc2Action('DescribeConversionTasks', {
  honours: ['ConversionTaskIds'],
  async run(_ctx, input) {
    refuseConversions(input.ConversionTaskIds)
    return { ConversionTasks: [] }
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CancelConversionTask.html */
export const cancelConversionTask = defineEc2Action('CancelConversionTask', {
  honours: ['ConversionTaskId'],
  async run(_ctx, input) {
    refuseConversions([input.ConversionTaskId])
    return {}
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImportSnapshotTasks.html */
export const describeImportSnapshotTasks = defineEc2Action('DescribeImportSnapshotTasks', {
  honours: ['ImportTaskIds', 'MaxResults', 'NextToken'],
  async run(ctx, input) {
    pageOf(ctx, input, { smallest: 1, exclusiveIds: (input.ImportTaskIds ?? []).length > 0 })
    refuseConversions(input.ImportTaskIds)
    return { ImportSnapshotTasks: [] }
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeExportTasks.html */
export const describeExportTasks = defineEc2Action('DescribeExportTasks', {
  honours: ['ExportTaskIds'],
  async run(_ctx, input) {
    if ((input.ExportTaskIds ?? []).length > 0) throw invalidExportTaskIdNotFound(input.ExportTaskIds!)
    return { ExportTasks: [] }
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CancelExportTask.html */
export const cancelExportTask = defineEc2Action('CancelExportTask', {
  honours: ['ExportTaskId'],
  async run(_ctx, input) {
    throw invalidExportTaskIdNotFound([input.ExportTaskId])
  },
})

const fpgaFields = noFields(
  'create-time',
  'fpga-image-global-id',
  'fpga-image-id',
  'name',
  'owner-id',
  'product-code',
  'shell-version',
  'state',
  'update-time',
)

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeFpgaImages.html */
export const describeFpgaImages = defineEc2Action('DescribeFpgaImages', {
  honours: ['FpgaImageIds', 'Filters', 'MaxResults', 'NextToken'],
  filters: filterNames(fpgaFields, { tagged: true }),
  async run(ctx, input) {
    pageOf(ctx, input, { exclusiveIds: (input.FpgaImageIds ?? []).length > 0 })
    applyFilters([], input.Filters, fpgaFields, none)
    if ((input.FpgaImageIds ?? []).length > 0) throw invalidFpgaImageIdNotFound(input.FpgaImageIds!)
    return { FpgaImages: [] }
  },
})
