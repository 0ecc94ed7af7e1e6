/** The models of STS and IAM and the codecs made of them. Files are read on first use, not on import. */
import { readFileSync } from 'node:fs'
import type { DecodeOptions, ServiceModel } from '@mallee/aws-protocol'
import { QueryDecoder, QueryEncoder } from '@mallee/aws-protocol'
import { withEucalyptusActions } from './eucalyptus-iam.ts'
import { withEucalyptusSts } from './eucalyptus-sts.ts'

const loaded = new Map<string, ServiceModel>()

function model(service: 'sts' | 'iam'): ServiceModel {
  const known = loaded.get(service)
  if (known) return known
  const file = new URL(`../models/${service}.json`, import.meta.url)
  const read = JSON.parse(readFileSync(file, 'utf8')) as ServiceModel
  loaded.set(service, read)
  return read
}

/** STS 2011-06-15, all operations. */
export const stsModel = (): ServiceModel => model('sts')
/** IAM 2010-05-08, all operations. */
export const iamModel = (): ServiceModel => model('iam')

export const createStsDecoder = (options: DecodeOptions = {}): QueryDecoder =>
  new QueryDecoder(withEucalyptusSts(stsModel()), options)
export const createStsEncoder = (): QueryEncoder => new QueryEncoder(withEucalyptusSts(stsModel()))
/** With Eucalyptus' own actions. */
export const createIamDecoder = (options: DecodeOptions = {}): QueryDecoder =>
  new QueryDecoder(withEucalyptusActions(iamModel()), options)
export const createIamEncoder = (): QueryEncoder => new QueryEncoder(withEucalyptusActions(iamModel()))

/** Every action of AWS's model, implemented here or not. */
export const stsActionNames = (): ReadonlySet<string> => new Set(Object.keys(stsModel().operations))
export const iamActionNames = (): ReadonlySet<string> => new Set(Object.keys(iamModel().operations))
