/** EC2's model and the codec made of it. The file is read on first use (about 10 ms), not on import. */
import { readFileSync } from 'node:fs'
import type { DecodeOptions, ServiceModel } from '@mallee/aws-protocol'
import { QueryDecoder, QueryEncoder } from '@mallee/aws-protocol'
import { withEucalyptusMembers } from './eucalyptus-compute.ts'

let loaded: ServiceModel | undefined

/** Of these EC2 says by a code of their own what is wrong with them: the actions check them, and not the decoder. */
const checkedByActions = ['LaunchTemplateName']

/** The model of EC2 2016-11-15, all operations. */
export function ec2Model(): ServiceModel {
  loaded ??= readModel()
  return loaded
}

function readModel(): ServiceModel {
  const text = readFileSync(new URL('../models/ec2.json', import.meta.url), 'utf8')
  const model = JSON.parse(text) as ServiceModel
  const unchecked = Object.fromEntries(checkedByActions.map((name) => [name, { kind: 'string' as const }]))
  return withEucalyptusMembers({ ...model, shapes: { ...model.shapes, ...unchecked } })
}

/**
 * Enums that a cloud of its own adds values to, or that older clients write in small letters: the decoder lets any value
 * pass, the action decides.
 */
export const ec2OpenEnums: ReadonlySet<string> = new Set([
  'InstanceType',
  'AccountAttributeName',
  'DiskImageFormat',
  'PlatformValues',
])

/** A decoder that refuses unknown parameters, as EC2 does. */
export function createEc2Decoder(options: DecodeOptions = {}): QueryDecoder {
  return new QueryDecoder(ec2Model(), { openEnums: ec2OpenEnums, ...options })
}

export function createEc2Encoder(): QueryEncoder {
  return new QueryEncoder(ec2Model())
}
