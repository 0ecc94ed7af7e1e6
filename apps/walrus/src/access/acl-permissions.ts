/**
 * Which permission of an access control list lets which action through.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#acl-access-policy-permission-mapping
 */
import type { S3 } from '@mallee/s3-api'

export interface AclNeed {
  readonly on: 'bucket' | 'object'
  readonly permission: S3.Permission
}

const onBucket = (permission: S3.Permission): AclNeed => ({ on: 'bucket', permission })
const onObject = (permission: S3.Permission): AclNeed => ({ on: 'object', permission })

const needs: Readonly<Record<string, AclNeed>> = {
  's3:ListBucket': onBucket('READ'),
  's3:ListBucketVersions': onBucket('READ'),
  's3:ListBucketMultipartUploads': onBucket('READ'),
  's3:PutObject': onBucket('WRITE'),
  's3:DeleteObject': onBucket('WRITE'),
  's3:GetBucketAcl': onBucket('READ_ACP'),
  's3:PutBucketAcl': onBucket('WRITE_ACP'),
  's3:GetObject': onObject('READ'),
  's3:GetObjectVersion': onObject('READ'),
  's3:GetObjectAttributes': onObject('READ'),
  's3:GetObjectVersionAttributes': onObject('READ'),
  's3:GetObjectAcl': onObject('READ_ACP'),
  's3:GetObjectVersionAcl': onObject('READ_ACP'),
  's3:PutObjectAcl': onObject('WRITE_ACP'),
  's3:PutObjectVersionAcl': onObject('WRITE_ACP'),
}

/** Null for what no list can give. */
export const aclNeed = (action: string): AclNeed | null => needs[action] ?? null
