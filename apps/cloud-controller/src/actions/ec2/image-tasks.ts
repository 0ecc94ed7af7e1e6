import { invalidExportTaskIdNotFound, invalidFpgaImageIdNotFound } from '@mallee/ec2-api'
import { defineEc2Action } from '../define-action.ts'
import { applyFilters, filterNames, type FilterFields } from '../filters.ts'
import { pageOf } from '../pages.ts'

/**
 * The slow ways to bring images out, which this cloud does not perform: nothing can be under way, so that the lists
 * are empty, and an id names nothing.
 */

const none = () => []
const noFields = (...names: string[]): FilterFields<never> =>
  Object.fromEntries(names.map((name) => [name, none]))

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
