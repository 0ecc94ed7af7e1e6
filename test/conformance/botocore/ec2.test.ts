/** Our EC2 codec against botocore: every operation that both know, every member of every shape. */
import { createEc2Decoder, createEc2Encoder, ec2Model } from '@mallee/ec2-api'
import { expect, it } from 'vitest'
import { compare, hasBotocore, queryCodec, summaryOf } from './oracle.ts'

it('decodes what botocore sends and encodes what botocore reads, for every operation', async (ctx) => {
  if (!hasBotocore()) {
    console.warn('SKIPPED: /usr/bin/python3 has no botocore; the EC2 codec was not compared with anything')
    ctx.skip()
  }
  const result = await compare(queryCodec(ec2Model(), createEc2Decoder(), createEc2Encoder()))
  console.log(`ec2: ${summaryOf(result)}`)
  expect(result.decodeFailures).toEqual([])
  expect(result.encodeFailures).toEqual([])
  expect(result.unknownOperations).toEqual([])
  // Debian 12's botocore knows 576 operations; each is tried full and with half of its members.
  expect(result.decoded).toBeGreaterThanOrEqual(1152)
  expect(result.encoded).toBe(result.decoded)
  expect(result.members).toBeGreaterThan(40_000)
})
