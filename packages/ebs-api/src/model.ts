/** The model of the EBS direct APIs and the codec made of it. The file is read on first use, not on import. */
import { readFileSync } from 'node:fs'
import { RestJsonDecoder, RestJsonEncoder, RestJsonRouter, type ServiceModel } from '@mallee/aws-protocol'
import { decodeErrorsOfMembers } from './errors.ts'

let loaded: ServiceModel | undefined

/** EBS 2019-11-02, all operations. */
export function ebsModel(): ServiceModel {
  loaded ??= JSON.parse(readFileSync(new URL('../models/ebs.json', import.meta.url), 'utf8')) as ServiceModel
  return loaded
}

export class EbsRouter extends RestJsonRouter {
  constructor() {
    super(ebsModel())
  }
}

export class EbsDecoder extends RestJsonDecoder {
  constructor() {
    super(ebsModel(), { errors: decodeErrorsOfMembers })
  }
}

export class EbsEncoder extends RestJsonEncoder {
  constructor() {
    super(ebsModel())
  }
}
