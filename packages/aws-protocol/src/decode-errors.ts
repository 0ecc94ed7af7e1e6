/**
 * What a decoder says about bad input, in the words of each protocol. The wire path (`BlockDeviceMapping.1.Ebs.VolumeSize`)
 * is what the sender wrote, so it can be found in the request.
 */
import { AwsError } from './aws-error.ts'
import { shownKey } from './form.ts'
import type { Protocol } from './model.ts'

export interface DecodeErrors {
  missing(path: string): AwsError
  unknown(path: string): AwsError
  /** `expected` completes "must be …" */
  badValue(path: string, value: string | undefined, expected: string): AwsError
}

const ec2: DecodeErrors = {
  missing: (path) =>
    new AwsError('MissingParameter', `The request must contain the parameter ${shownKey(path)}`),
  unknown: (path) => new AwsError('UnknownParameter', `The parameter ${shownKey(path)} is not recognized`),
  badValue: (path, value, expected) =>
    new AwsError(
      'InvalidParameterValue',
      value === undefined
        ? `The value for parameter ${shownKey(path)} is invalid. It must be ${expected}.`
        : `Value (${shownKey(value)}) for parameter ${shownKey(path)} is invalid. It must be ${expected}.`,
    ),
}

const lowerFirst = (path: string): string => (path[0] ?? '').toLowerCase() + path.slice(1)

const query: DecodeErrors = {
  missing: (path) =>
    new AwsError(
      'ValidationError',
      `1 validation error detected: Value null at '${shownKey(lowerFirst(path))}' failed to satisfy constraint: Member must not be null`,
    ),
  unknown: (path) => new AwsError('ValidationError', `The parameter ${shownKey(path)} is not recognized`),
  badValue: (path, value, expected) =>
    new AwsError(
      'ValidationError',
      `1 validation error detected: Value ${value === undefined ? '' : `'${shownKey(value)}' `}at '${shownKey(lowerFirst(path))}' failed to satisfy constraint: Member must be ${expected}`,
    ),
}

const rest: DecodeErrors = {
  missing: (path) => new AwsError('MissingRequestParameter', `The request must contain ${shownKey(path)}.`),
  unknown: (path) => new AwsError('InvalidArgument', `${shownKey(path)} is not recognized.`),
  badValue: (path, _value, expected) =>
    new AwsError('InvalidArgument', `The value of ${shownKey(path)} must be ${expected}.`, 400, {
      details: { ArgumentName: shownKey(path) },
    }),
}

const restJson: DecodeErrors = {
  missing: (path) => new AwsError('ValidationException', `The request must contain ${shownKey(path)}.`),
  unknown: (path) => new AwsError('ValidationException', `${shownKey(path)} is not recognized.`),
  badValue: (path, _value, expected) =>
    new AwsError('ValidationException', `The value of ${shownKey(path)} must be ${expected}.`),
}

export const decodeErrors: Readonly<Record<Protocol, DecodeErrors>> = {
  ec2Query: ec2,
  awsQuery: query,
  restXml: rest,
  restJson,
  awsJson: restJson,
}
