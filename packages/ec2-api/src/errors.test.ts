import { AwsError } from '@mallee/aws-protocol'
import { describe, expect, it } from 'vitest'
import * as api from './index.ts'

describe('errors named by code', () => {
  it.each([
    [
      api.invalidInstanceIdNotFound(['i-1']),
      'InvalidInstanceID.NotFound',
      400,
      "The instance ID 'i-1' does not exist",
    ],
    [
      api.invalidInstanceIdNotFound(['i-1', 'i-2']),
      'InvalidInstanceID.NotFound',
      400,
      "The instance IDs 'i-1, i-2' do not exist",
    ],
    [api.invalidInstanceIdMalformed('x'), 'InvalidInstanceID.Malformed', 400, 'Invalid id: "x"'],
    [api.invalidVpcIdMalformed('x'), 'InvalidVpcId.Malformed', 400, 'Invalid id: "x" (expecting "vpc-...")'],
    [
      api.invalidAmiIdNotFound(['ami-1']),
      'InvalidAMIID.NotFound',
      400,
      "The image id '[ami-1]' does not exist",
    ],
    [api.invalidKeyPairDuplicate('k'), 'InvalidKeyPair.Duplicate', 400, "The keypair already exists: 'k'"],
    [api.dryRunOperation(), 'DryRunOperation', 412, 'Request would have succeeded, but DryRun flag is set.'],
    [
      api.unauthorizedOperation(),
      'UnauthorizedOperation',
      403,
      'You are not authorized to perform this operation.',
    ],
    [api.authFailure(), 'AuthFailure', 401, 'AWS was not able to validate the provided access credentials'],
    [api.invalidAction('Nope'), 'InvalidAction', 400, 'The action Nope is not valid for this web service.'],
    [api.invalidAction(undefined), 'MissingAction', 400, 'The request must contain the parameter Action'],
    [
      api.unsupportedOperation('CreateFleet'),
      'UnsupportedOperation',
      400,
      'The operation CreateFleet is not supported by this cloud.',
    ],
    [api.insufficientInstanceCapacity('why'), 'InsufficientInstanceCapacity', 500, 'why'],
    [api.requestLimitExceeded(), 'RequestLimitExceeded', 503, 'Request limit exceeded.'],
    [api.internalError(), 'InternalError', 500, 'An internal error has occurred'],
  ])('%s', (error, code, status, message) => {
    expect(error).toBeInstanceOf(AwsError)
    expect(error).toMatchObject({ code, status, message })
  })

  it('keep what came from outside short', () => {
    expect(api.invalidAction('x'.repeat(10_000)).message.length).toBeLessThan(300)
    expect(api.invalidInstanceIdMalformed('x'.repeat(10_000)).message.length).toBeLessThan(300)
  })
})
