/** What Eucalyptus' STS door has and AWS's lacks, as an addition to AWS's model, written by hand. */
import type { ServiceModel, ShapeModel } from '@mallee/aws-protocol'
import type { Credentials } from '../models/sts-types.ts'

const shapes: Readonly<Record<string, ShapeModel>> = {
  GetAccessTokenRequest: { kind: 'struct', members: { DurationSeconds: ['durationSecondsType'] } },
  GetAccessTokenResponse: { kind: 'struct', members: { Credentials: ['Credentials'] } },
}

export interface GetAccessTokenRequest {
  DurationSeconds?: number | undefined
}
export interface GetAccessTokenResponse {
  Credentials: Credentials
}

export function withEucalyptusSts(model: ServiceModel): ServiceModel {
  return {
    ...model,
    operations: {
      ...model.operations,
      GetAccessToken: { in: 'GetAccessTokenRequest', out: 'GetAccessTokenResponse' },
    },
    shapes: { ...model.shapes, ...shapes },
  }
}
