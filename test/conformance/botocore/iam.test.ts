/** Our STS and IAM codecs against botocore: every operation that both know, every member of every shape. */
import { createIamDecoder, createIamEncoder, createStsDecoder, createStsEncoder } from '@mallee/iam-api'
import { iamModel, stsModel } from '@mallee/iam-api'
import { expect, it } from 'vitest'
import { compare, hasBotocore, queryCodec, summaryOf } from './oracle.ts'

const services = [
  { model: stsModel, decoder: createStsDecoder, encoder: createStsEncoder, operations: 8, members: 100 },
  { model: iamModel, decoder: createIamDecoder, encoder: createIamEncoder, operations: 150, members: 2000 },
]

it.for(services)(
  'agrees with botocore on every operation ($operations or more)',
  async (service, { skip }) => {
    if (!hasBotocore()) {
      console.warn('SKIPPED: /usr/bin/python3 has no botocore; the STS and IAM codecs were not compared')
      skip()
    }
    const model = service.model()
    const result = await compare(queryCodec(model, service.decoder(), service.encoder()))
    console.log(`${model.service}: ${summaryOf(result)}`)
    expect(result.decodeFailures).toEqual([])
    expect(result.encodeFailures).toEqual([])
    expect(result.unknownOperations).toEqual([])
    expect(result.decoded).toBeGreaterThanOrEqual(2 * service.operations)
    expect(result.encoded).toBe(result.decoded)
    expect(result.members).toBeGreaterThan(service.members)
  },
)
