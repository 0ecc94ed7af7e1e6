import { expect, test } from 'vitest'
import { s3ActionNames } from './actions.ts'
import { neededPermissions, s3Permissions, type S3Operation } from './permissions.ts'
import { s3PolicyActions } from './policy-actions.ts'
import { s3Model } from './s3-model.ts'

const needs = (operation: S3Operation, input: Record<string, unknown>, sourceHasTags = false) =>
  neededPermissions(operation, input, { sourceHasTags }).map(({ action, on }) => `${on} ${action}`)

test('every operation of the model is in the table, and nothing else', () => {
  expect(Object.keys(s3Permissions).toSorted()).toEqual([...s3ActionNames()].toSorted())
})

test('every action is one of S3’s and is on what the table says', () => {
  const wrong = Object.entries(s3Permissions).flatMap(([operation, permission]) => {
    const all = [permission, ...('additional' in permission ? permission.additional : [])]
    return all
      .flatMap((one) =>
        [one.action, ...('versionAction' in one ? [one.versionAction] : [])].map((action) => [
          action,
          one.on,
        ]),
      )
      .filter(([action]) => action!.startsWith('s3:'))
      .filter(([action, on]) => s3PolicyActions.get(action as never) !== (on === 'source' ? 'object' : on))
      .map(([action]) => `${operation} ${action}`)
  })
  expect(wrong).toEqual([])
})

test('an operation on an object has a key in its path, one on a bucket has none', () => {
  const operations = s3Model().operations as unknown as Record<string, { http: [string, string, number] }>
  const wrong = Object.entries(s3Permissions).filter(([operation, { on }]) => {
    if (operation === 'DeleteObjects' || operation === 'RenameObject') return false
    return operations[operation]!.http[1].includes('{Key+}') !== (on === 'object')
  })
  expect(wrong.map(([operation]) => operation)).toEqual([])
})

test('a version that is named asks for another action', () => {
  expect(needs('GetObject', {})).toEqual(['object s3:GetObject'])
  expect(needs('HeadObject', { VersionId: 'v' })).toEqual(['object s3:GetObjectVersion'])
  expect(needs('DeleteObject', { VersionId: 'v', BypassGovernanceRetention: true })).toEqual([
    'object s3:DeleteObjectVersion',
    'object s3:BypassGovernanceRetention',
  ])
  expect(needs('DeleteObjects', { BypassGovernanceRetention: false })).toEqual(['object s3:DeleteObject'])
  expect(needs('GetObjectAttributes', { VersionId: 'v' })).toEqual([
    'object s3:GetObjectVersionAttributes',
    'object s3:GetObjectVersion',
  ])
})

test('headers ask for more', () => {
  expect(needs('PutObject', {})).toEqual(['object s3:PutObject'])
  expect(
    needs('PutObject', {
      Tagging: 'a=b',
      GrantRead: 'id=x',
      ObjectLockMode: 'GOVERNANCE',
      ObjectLockLegalHoldStatus: 'ON',
    }),
  ).toEqual([
    'object s3:PutObject',
    'object s3:PutObjectTagging',
    'object s3:PutObjectAcl',
    'object s3:PutObjectRetention',
    'object s3:PutObjectLegalHold',
  ])
  expect(needs('CreateBucket', { ACL: 'public-read', CreateBucketConfiguration: { Tags: [] } })).toEqual([
    'bucket s3:CreateBucket',
    'bucket s3:PutBucketAcl',
  ])
})

test('a copy reads its source', () => {
  expect(needs('CopyObject', { CopySource: 'b/k' })).toEqual(['object s3:PutObject', 'source s3:GetObject'])
  expect(needs('CopyObject', { CopySource: 'b/k?versionId=7' }, true)).toEqual([
    'object s3:PutObject',
    'source s3:GetObjectVersion',
    'source s3:GetObjectVersionTagging',
    'object s3:PutObjectTagging',
  ])
  expect(
    needs('CopyObject', { CopySource: 'b/k', TaggingDirective: 'REPLACE', Tagging: 'a=b' }, true),
  ).toEqual(['object s3:PutObject', 'source s3:GetObject', 'object s3:PutObjectTagging'])
  expect(needs('UploadPartCopy', { CopySource: 'b/k' })).toEqual([
    'object s3:PutObject',
    'source s3:GetObject',
  ])
})
