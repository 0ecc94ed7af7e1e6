import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { MalleeError } from '@mallee/base'
import { AwsError } from '@mallee/aws-protocol'
import { errorCatalogue } from '@mallee/ec2-api'
import { toAwsError } from '../../src/http/to-aws-error.ts'

const root = new URL('../../../../', import.meta.url)
/** Everything whose errors can leave through the query doors. */
const folders = [
  'apps/cloud-controller/src',
  'packages/aws-protocol/src',
  'packages/ec2-api/src',
  'packages/eucalyptus-api/src',
  'packages/iam-api/src',
  'packages/soap/src',
]
/** What only the codecs of S3 and of the EBS direct APIs throw; their doors answer in words of their own. */
const ofOthers =
  /^(?:IncompleteBody|InvalidArgument|MalformedTrailerError|MissingContentLength|MissingRequestParameter|\w+Exception)$/

interface Thrown {
  readonly code: string
  readonly status: number | null
  readonly file: string
}

/** Codes that stand in the source, with the status beside them where one does. */
function thrownInSource(): Thrown[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', ...folders], {
    cwd: root,
    encoding: 'utf8',
  })
  const files = listed.split('\n').filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  return files.flatMap((file) => {
    const text = readFileSync(new URL(file, root), 'utf8')
    const found = text.matchAll(/(?:AwsError|notFound|malformedId)\(\s*'([\w.]+)'([^;]*?)\)\s*(?:[;,)}\n])/g)
    return [...found].map((match) => ({
      code: match[1]!,
      status: Number(/,\s*([45]\d\d)\s*(?:,\s*\{[^}]*\}\s*)?,?\s*$/.exec(match[2]!)?.[1] ?? 0) || null,
      file,
    }))
  })
}

test('every code that is thrown has its entry, and with it its status', () => {
  const thrown = thrownInSource().filter(({ code }) => !ofOthers.test(code))
  expect(thrown.length).toBeGreaterThan(100)
  const unnamed = thrown.filter(({ code }) => !Object.hasOwn(errorCatalogue, code))
  expect(unnamed).toEqual([])
  const others = thrown.filter(
    ({ code, status }) =>
      status !== null &&
      status !== errorCatalogue[code]!.status &&
      // A key that is good and a resource that is not the caller's: AWS answers both by this code.
      !(code === 'AuthFailure' && (status === 401 || status === 403)),
  )
  expect(others).toEqual([])
})

test('every entry is thrown somewhere, or is a signature’s', () => {
  const codes = new Set(thrownInSource().map(({ code }) => code))
  const source = readFileSync(new URL('packages/aws-protocol/src/signature-errors.ts', root), 'utf8')
  const idle = Object.keys(errorCatalogue).filter((code) => !codes.has(code) && !source.includes(`'${code}'`))
  expect(idle).toEqual([])
})

test('what is not named does not leave the house', () => {
  expect(toAwsError(new Error('password is hunter2'))).toMatchObject({
    code: 'InternalError',
    status: 500,
    message: 'An internal error has occurred',
  })
  expect(toAwsError(new AwsError('HomeMade', 'of our own'))).toMatchObject({
    code: 'InternalError',
    status: 500,
  })
  expect(toAwsError(new MalleeError({ code: 'DiskOnFire', publicMessage: 'hot' }))).toMatchObject({
    code: 'InternalError',
  })
  expect(toAwsError(new MalleeError({ code: 'Busy', publicMessage: 'wait', retryable: true }))).toMatchObject(
    {
      code: 'Unavailable',
      status: 503,
    },
  )
  const full = new MalleeError({ code: 'InsufficientFreeAddressesInSubnet', publicMessage: 'full' })
  expect(toAwsError(full)).toMatchObject({
    code: 'InsufficientFreeAddressesInSubnet',
    status: 400,
    message: 'full',
  })
})
