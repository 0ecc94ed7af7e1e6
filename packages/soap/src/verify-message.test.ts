import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { AwsError } from '@mallee/aws-protocol'
import { createSigningCertificate } from '@mallee/pki'
import { signMessage, type MessageSigner } from './sign-message.ts'
import { elementsOf } from './strict-xml.ts'
import { openMessage, verifyMessage } from './verify-message.ts'

const nowMs = Date.parse('2026-11-21T02:01:00Z')
let signer: MessageSigner
beforeAll(async () => {
  signer = await createSigningCertificate('x', nowMs)
})

/** Debian's python3-zeep 4.2.1 made it, and python3-xmlsec 1.3.13 signed it. */
describe('a message of another maker', () => {
  const message = readFileSync(new URL('../test/zeep-message.xml', import.meta.url))
  test('is verified', () => {
    const verified = verifyMessage(message, { nowMs })
    expect(elementsOf(verified.body)[0]?.local).toBe('DescribeInstances')
    expect(verified.expiresAtMs).toBe(Date.parse('2026-11-21T02:05:00Z'))
    expect(verified.certificate.digest).toMatch(/^[0-9a-f]{64}$/)
  })
  test('is refused with one letter changed, and when it is too old', () => {
    const changed = Buffer.from(message.toString().replace('abcdef0<', 'abcdef1<'))
    expect(() => verifyMessage(changed, { nowMs })).toThrow('not what was signed')
    expect(() => verifyMessage(message, { nowMs: nowMs + 3_600_000 })).toThrow('expired')
  })
})

test.each(['sha1', 'sha256'] as const)('what we sign by %s is verified', (hash) => {
  const message = signMessage('<a xmlns="urn:a">x</a>', signer, { createdMs: nowMs, hash })
  expect(verifyMessage(Buffer.from(message), { nowMs }).body.local).toBe('Body')
})

describe('what would cost much', () => {
  const content = (elements: number) => `<a xmlns="urn:a">${'<b/>'.repeat(elements)}</a>`
  const listing = (prefixes: number) => (message: string) => {
    const list = Array.from({ length: prefixes }, (_, index) => `p${index}`).join(' ')
    const option = `<ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="${list}"/>`
    return message.replaceAll('</ds:Transform>', () => `${option}</ds:Transform>`)
  }
  const refusal = (message: string) => {
    try {
      openMessage(Buffer.from(message))
      return 'none'
    } catch (error) {
      return error instanceof AwsError ? error.code : error
    }
  }

  test('prefix lists, references and elements have limits', () => {
    const good = signMessage(content(4000), signer, { createdMs: nowMs })
    expect(refusal(good)).toBe('none')
    expect(refusal(listing(6000)(good))).toBe('InvalidSecurity')
    expect(refusal(listing(33)(good))).toBe('InvalidSecurity')
    // A list within the limit is read, and found not to be what was signed.
    expect(refusal(listing(32)(good))).toBe('SignatureDoesNotMatch')
    const ids = ['ts', 'body', 'x1', 'x2', 'x3']
    const parts = '<x Id="x1"/><x Id="x2"/><x Id="x3"/>'
    const signing = (signedIds: string[]) => signMessage(parts, signer, { createdMs: nowMs, signedIds })
    expect(refusal(signing(ids.slice(0, 4)))).toBe('none')
    expect(refusal(signing(ids))).toBe('InvalidSecurity')
    expect(refusal(good.replace('<b/>', '<b/>'.repeat(1500)))).toBe('InvalidSOAPRequest')
  })
  test('the holder of the key is known before what was signed is looked at', () => {
    const changed = signMessage(content(1), signer, { createdMs: nowMs }).replace('<b/>', '<c/>')
    const opened = openMessage(Buffer.from(changed))
    expect(opened.certificate.digest).toMatch(/^[0-9a-f]{64}$/)
    expect(() => opened.verify({ nowMs })).toThrow('not what was signed')
  })
})

/** Numbers that are the same in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
    return (state >> 8) % below
  }
}

test('whatever is done to a message: it means what was signed, or is refused by a name', () => {
  const content = '<Run xmlns="urn:x"><a>1</a><b k="v">2</b></Run>'
  const good = signMessage(content, signer, { createdMs: nowMs })
  const meant = JSON.stringify(verifyMessage(Buffer.from(good), { nowMs }).body, withoutParent)
  const pieces = [
    '<',
    '>',
    '&',
    '"',
    ' ',
    '\n',
    '\r',
    '<!--',
    '-->',
    '<![CDATA[',
    '&#10;',
    '<a/>',
    ' Id="body"',
    ' xmlns="q"',
    '\u00A0',
    '<?x?>',
  ]
  const next = numbers(7)
  let accepted = 0
  for (let round = 0; round < 4000; round += 1) {
    const at = next(good.length)
    const from = next(good.length)
    const added = next(2) === 0 ? pieces[next(pieces.length)]! : good.slice(from, from + next(200))
    const changed = good.slice(0, at) + added + good.slice(at + next(3))
    try {
      const { body } = verifyMessage(Buffer.from(changed), { nowMs })
      expect(JSON.stringify(body, withoutParent), changed).toBe(meant)
      accepted += 1
    } catch (error) {
      if (!(error instanceof AwsError)) throw new Error(`not named: ${changed}`, { cause: error })
    }
  }
  expect(accepted).toBeGreaterThan(0)
})

const withoutParent = (key: string, value: unknown) => (key === 'parent' ? undefined : value)
