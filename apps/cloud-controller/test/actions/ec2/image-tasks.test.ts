import { afterAll, beforeAll, expect, test } from 'vitest'
import { CloudUnderTest } from '../../cloud-under-test.ts'

let cloud: CloudUnderTest
beforeAll(async () => {
  cloud = await CloudUnderTest.start()
})
afterAll(() => cloud.stop())

test.each([
  [
    'DescribeBundleTasks',
    'bundleInstanceTasksSet',
    { 'BundleId.1': 'bun-12345678' },
    'InvalidBundleID.NotFound',
  ],
  [
    'DescribeConversionTasks',
    'conversionTasks',
    { 'ConversionTaskId.1': 'import-i-12345678' },
    'InvalidConversionTaskId',
  ],
  [
    'DescribeImportImageTasks',
    'importImageTaskSet',
    { 'ImportTaskId.1': 'import-ami-0123456789abcdef0' },
    'InvalidConversionTaskId',
  ],
  [
    'DescribeImportSnapshotTasks',
    'importSnapshotTaskSet',
    { 'ImportTaskId.1': 'what' },
    'InvalidConversionTaskId.Malformed',
  ],
  [
    'DescribeExportTasks',
    'exportTaskSet',
    { 'ExportTaskId.1': 'export-i-12345678' },
    'InvalidExportTaskID.NotFound',
  ],
  ['DescribeFpgaImages', 'fpgaImageSet', { 'FpgaImageId.1': 'afi-12345678' }, 'InvalidFpgaImageID.NotFound'],
])('%s lists none, and knows no id', async (action, element, ids, code) => {
  const none = await cloud.call(action)
  expect(none.status, none.body).toBe(200)
  expect(none.xml[element]).toBe('')
  expect((await cloud.call(action, ids as unknown as Record<string, string>)).code).toBe(code)
})

test.each([
  ['CancelBundleTask', { BundleId: 'bun-12345678' }, 'InvalidBundleID.NotFound'],
  ['CancelConversionTask', { ConversionTaskId: 'import-i-12345678' }, 'InvalidConversionTaskId'],
  ['CancelImportTask', { ImportTaskId: 'import-ami-0123456789abcdef0' }, 'InvalidConversionTaskId'],
  ['CancelImportTask', {}, 'MissingParameter'],
  ['CancelExportTask', { ExportTaskId: 'export-i-12345678' }, 'InvalidExportTaskID.NotFound'],
])('%s has nothing to cancel', async (action, parameters, code) => {
  expect((await cloud.call(action, parameters as unknown as Record<string, string>)).code).toBe(code)
})

test('filters that nobody documents are refused though nothing could match', async () => {
  for (const action of ['DescribeBundleTasks', 'DescribeFpgaImages'])
    expect((await cloud.call(action, { 'Filter.1.Name': 'colour', 'Filter.1.Value.1': 'x' })).code).toBe(
      'InvalidParameterValue',
    )
  const known = { 'Filter.1.Name': 'state', 'Filter.1.Value.1': 'x' }
  expect((await cloud.call('DescribeBundleTasks', known)).status).toBe(200)
})
