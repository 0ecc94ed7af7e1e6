/** Our S3 router and codec against botocore: every operation that both know, every member of every shape. */
import { parseForm } from '@mallee/aws-protocol'
import { parseS3Address, S3Decoder, S3Encoder, s3Model, s3OpenEnums, S3Router } from '@mallee/s3-api'
import { expect, it } from 'vitest'
import type { Codec, Line } from './oracle.ts'
import { compare, hasBotocore, summaryOf } from './oracle.ts'

/** Older names for the requests of Get/PutBucketLifecycleConfiguration and …NotificationConfiguration. */
const superseded = [
  'GetBucketLifecycle',
  'GetBucketNotification',
  'PutBucketLifecycle',
  'PutBucketNotification',
]

const skipped = {
  // Of other endpoints: our router does not have them.
  inputs: new Set(['ListDirectoryBuckets', 'WriteGetObjectResponse']),
  // An event stream; and bare text in the root, which botocore reads outside its parser.
  outputs: new Set(['SelectObjectContent', 'GetBucketLocation']),
}

function s3Codec(): Codec {
  const model = s3Model()
  const router = new S3Router(model)
  const decoder = new S3Decoder(model, { openEnums: s3OpenEnums })
  const encoder = new S3Encoder(model)
  return {
    model,
    skipped,
    decode: ({ operation, request }: Line) => {
      const [path = '', ownQuery = ''] = request.target.split('?')
      const query = new Map(parseForm([ownQuery, request.query].filter(Boolean).join('&')))
      const headers = lowerCased(request.headers)
      const address = parseS3Address('localhost', path)
      const routed = router.route({ method: request.method, address, query, headers })
      if (routed !== operation) throw new Error(`routed to ${routed}`)
      const body = decoder.needsBody(operation) ? request.body : undefined
      return asBotocoreHasIt(decoder.decode({ operation, address, query, headers, body }))
    },
    encode: (operation, output) => {
      const { status, headers, body } = encoder.encode(operation, output)
      return { status, headers, xml: body ?? '' }
    },
  }
}

/** Two members have another type in our model: Expires stays as it was sent, and the marker is a string in Smithy. */
function asBotocoreHasIt(input: Record<string, unknown>): Record<string, unknown> {
  const { Expires, PartNumberMarker, ...rest } = input
  return {
    ...rest,
    ...(Expires !== undefined && { Expires: new Date(String(Expires)) }),
    ...(PartNumberMarker !== undefined && { PartNumberMarker: Number(PartNumberMarker) }),
  }
}

function lowerCased(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

it('routes and decodes what botocore sends and encodes what botocore reads', async (ctx) => {
  if (!hasBotocore()) {
    console.warn('SKIPPED: /usr/bin/python3 has no botocore; the S3 codec was not compared with anything')
    ctx.skip()
  }
  const result = await compare(s3Codec())
  console.log(`s3: ${summaryOf(result)}`)
  expect(result.decodeFailures).toEqual([])
  expect(result.encodeFailures).toEqual([])
  expect(superseded).toEqual(expect.arrayContaining(result.unknownOperations))
  // Debian 12's botocore knows 97 operations; each is tried full and with half of its members.
  expect(result.decoded).toBeGreaterThanOrEqual(184)
  expect(result.encoded).toBeGreaterThanOrEqual(182)
  expect(result.members).toBeGreaterThan(2500)
})
