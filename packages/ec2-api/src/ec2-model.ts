/** EC2's model and the codec made of it. The file is read on first use (about 10 ms), not on import. */
import { readFileSync } from 'node:fs'
import type { DecodeOptions, ServiceModel } from '@mallee/aws-protocol'
import { QueryDecoder, QueryEncoder } from '@mallee/aws-protocol'

let loaded: ServiceModel | undefined

/** The model of EC2 2016-11-15, all operations. */
export function ec2Model(): ServiceModel {
  loaded ??= JSON.parse(readFileSync(new URL('../models/ec2.json', import.meta.url), 'utf8')) as ServiceModel
  return loaded
}

/** Enums that a cloud of its own adds values to: the decoder lets any value pass, the action decides. */
export const ec2OpenEnums: ReadonlySet<string> = new Set(['InstanceType', 'AccountAttributeName'])

/** A decoder that refuses unknown parameters, as EC2 does. */
export function createEc2Decoder(options: DecodeOptions = {}): QueryDecoder {
  return new QueryDecoder(ec2Model(), { openEnums: ec2OpenEnums, ...options })
}

export function createEc2Encoder(): QueryEncoder {
  return new QueryEncoder(ec2Model())
}
