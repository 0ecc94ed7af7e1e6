import { createHmac, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createAuthority, createSigningCertificate } from '@mallee/pki'
import { signEnvelope, signMessage, type MessageSigner } from '@mallee/soap'
import { CloudUnderTest } from '../cloud-under-test.ts'
import { request, sendSoap, signed, soapNamespace, uploadCertificate } from './soap-client.ts'

/**
 * Each attack takes a message that the victim signed, which asks for the regions, and makes of it one that some reader
 * would take for an order to make a group. All are refused and nothing is made.
 */
let cloud: CloudUnderTest
let victim: MessageSigner
let attacker: MessageSigner

beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  victim = await createSigningCertificate('victim', Date.now())
  attacker = await createSigningCertificate('attacker', Date.now())
  await uploadCertificate(cloud, victim.certificate)
  const other = await cloud.createAccount('other')
  await uploadCertificate(cloud, attacker.certificate, other)
})
afterAll(() => cloud.stop())
afterEach(async () => {
  const groups = await cloud.cloud.record.read((db) =>
    db.selectFrom('security_group').select('name').where('name', '=', 'evil').execute(),
  )
  expect(groups).toEqual([])
})

const soap = 'http://schemas.xmlsoap.org/soap/envelope/'
const wsu = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd'
const harmless = request('DescribeRegions')
const evil = request(
  'CreateSecurityGroup',
  '<groupName>evil</groupName><groupDescription>x</groupDescription>',
)
const evilBody = (id = '') => `<soapenv:Body xmlns:wsu="${wsu}"${id}>${evil}</soapenv:Body>`

const theBody = /<soapenv:Body.*<\/soapenv:Body>/
const theTimestamp = /<wsu:Timestamp.*<\/wsu:Timestamp>/
const theToken = /<wsse:BinarySecurityToken.*<\/wsse:BinarySecurityToken>/
const theSignature = /<ds:Signature .*<\/ds:Signature>/
const theSecurity = /<wsse:Security .*<\/wsse:Security>/
const theHeader = /<soapenv:Header>.*<\/soapenv:Header>/

const cut = (message: string, part: RegExp): string => part.exec(message)?.[0] ?? ''
const swap = (message: string, part: RegExp | string, by: string): string => message.replace(part, () => by)
const beforeEnd = (message: string, tag: string, added: string): string =>
  swap(message, `</${tag}>`, `${added}</${tag}>`)
const inHeader = (message: string, added: string): string => beforeEnd(message, 'soapenv:Header', added)
/** An evil Body in the place of the signed one, which goes elsewhere. */
const moved = (message: string, elsewhere: (message: string, body: string) => string, id = ''): string => {
  const body = cut(message, theBody)
  return elsewhere(swap(message, theBody, evilBody(id)), body)
}
const fresh = (content = harmless): string => signed(content, victim)

type Attack = readonly [what: string, make: (good: string) => string]

const wrappings: readonly Attack[] = [
  ['the Body in a header, another in its place', (m) => moved(m, (n, b) => inHeader(n, `<w>${b}</w>`))],
  ['with an id of its own', (m) => moved(m, (n, b) => inHeader(n, `<w>${b}</w>`), ' wsu:Id="evil"')],
  ['with the same id', (m) => moved(m, (n, b) => inHeader(n, `<w>${b}</w>`), ' wsu:Id="body"')],
  ['with the same plain Id', (m) => moved(m, (n, b) => inHeader(n, `<w>${b}</w>`), ' Id="body"')],
  ['with the same ID', (m) => moved(m, (n, b) => inHeader(n, `<w>${b}</w>`), ' ID="body"')],
  ['with the same xml:id', (m) => moved(m, (n, b) => inHeader(n, `<w>${b}</w>`), ' xml:id="body"')],
  ['with two ids', (m) => swap(m, 'wsu:Id="body"', 'wsu:Id="body" Id="other"')],
  ['the Body in the Security header', (m) => moved(m, (n, b) => beforeEnd(n, 'wsse:Security', b))],
  ['the Body in the Timestamp', (m) => moved(m, (n, b) => beforeEnd(n, 'wsu:Timestamp', b))],
  [
    'the Body in an Object of the Signature',
    (m) => moved(m, (n, b) => beforeEnd(n, 'ds:Signature', `<ds:Object>${b}</ds:Object>`)),
  ],
  ['the Body in KeyInfo', (m) => moved(m, (n, b) => beforeEnd(n, 'ds:KeyInfo', b))],
  ['the Body in the certificate', (m) => moved(m, (n, b) => beforeEnd(n, 'wsse:BinarySecurityToken', b))],
  ['the Body in the other Body', (m) => moved(m, (n, b) => beforeEnd(n, 'soapenv:Body', b))],
  [
    'the Body in the other request',
    (m) => moved(m, (n, b) => swap(n, '</CreateSecurityGroup>', `${b}</CreateSecurityGroup>`)),
  ],
  ['another Body before it', (m) => swap(m, theBody, evilBody() + cut(m, theBody))],
  ['another Body behind it', (m) => swap(m, theBody, cut(m, theBody) + evilBody())],
  [
    'the Body behind the Body in a wrapper',
    (m) => moved(m, (n, b) => beforeEnd(n, 'soapenv:Envelope', `<w>${b}</w>`)),
  ],
  [
    'the Body before the Header in a wrapper',
    (m) => moved(m, (n, b) => swap(n, '<soapenv:Header>', `<w>${b}</w><soapenv:Header>`)),
  ],
  [
    'the Body before the Header',
    (m) => swap(swap(m, theBody, ''), '<soapenv:Header>', `${cut(m, theBody)}<soapenv:Header>`),
  ],
  [
    'the whole message in a header of another',
    (m) =>
      `<soapenv:Envelope xmlns:soapenv="${soap}"><soapenv:Header>${cut(m, theSecurity)}<w>${m}</w></soapenv:Header>${evilBody()}</soapenv:Envelope>`,
  ],
  [
    'the whole message in the Body of another',
    (m) =>
      `<soapenv:Envelope xmlns:soapenv="${soap}"><soapenv:Header>${cut(m, theSecurity)}</soapenv:Header><soapenv:Body>${evil}${m}</soapenv:Body></soapenv:Envelope>`,
  ],
  ['the whole message in something else', (m) => `<w>${m}</w>`],
  ['two Headers', (m) => swap(m, '<soapenv:Body', `${cut(m, theHeader)}<soapenv:Body`)],
  ['two Security headers', (m) => inHeader(m, cut(m, theSecurity))],
  [
    'a Security header of another actor beside it',
    (m) =>
      inHeader(
        m,
        cut(m, theSecurity)
          .replaceAll(/(?:wsu:)?Id="[^"]*"/g, '')
          .replace('<wsse:Security ', '<wsse:Security soapenv:actor="urn:other" '),
      ),
  ],
  ['two Signatures', (m) => beforeEnd(m, 'wsse:Security', cut(m, theSignature))],
  [
    "the attacker's Signature beside it",
    (m) => beforeEnd(m, 'wsse:Security', cut(signed(evil, attacker), theSignature)),
  ],
  ['the Signature outside Security', (m) => inHeader(swap(m, theSignature, ''), cut(m, theSignature))],
  [
    'a second SignedInfo',
    (m) =>
      swap(
        m,
        '<ds:SignatureValue>',
        `${/<ds:SignedInfo.*<\/ds:SignedInfo>/.exec(m)?.[0]}<ds:SignatureValue>`,
      ),
  ],
  [
    'a Timestamp of its own, the signed one in a header',
    (m) =>
      inHeader(
        swap(m, theTimestamp, cut(m, theTimestamp).replace('wsu:Id="ts"', '')),
        `<w xmlns:wsu="${wsu}">${cut(m, theTimestamp)}</w>`,
      ),
  ],
  ['two Timestamps', (m) => beforeEnd(m, 'wsse:Security', cut(m, theTimestamp).replace('"ts"', '"ts2"'))],
  [
    'two certificates',
    (m) => beforeEnd(m, 'wsse:Security', cut(signed(evil, attacker), theToken).replace('"cert"', '"cert2"')),
  ],
  [
    'a certificate of the same id in a header',
    (m) =>
      inHeader(
        m,
        `<w xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd" xmlns:wsu="${wsu}">${cut(m, theToken)}</w>`,
      ),
  ],
  [
    "the victim's certificate over the attacker's signature",
    () => swap(signed(evil, attacker), theToken, cut(fresh(), theToken)),
  ],
  ['another request in the same Body', (m) => beforeEnd(m, 'soapenv:Body', evil)],
  ['another request in the place of it', (m) => swap(m, harmless, evil)],
  [
    'a Body of SOAP 1.2 beside it',
    (m) =>
      swap(
        m,
        theBody,
        cut(m, theBody) +
          evilBody()
            .replaceAll('soapenv:', 'e:')
            .replace('<e:Body', '<e:Body xmlns:e="http://www.w3.org/2003/05/soap-envelope"'),
      ),
  ],
  ['an attribute on the Body', (m) => swap(m, 'wsu:Id="body"', 'wsu:Id="body" x="y"')],
  ['text beside the Body', (m) => beforeEnd(m, 'soapenv:Envelope', 'x')],
]

const algorithms: readonly Attack[] = [
  ['the whole document as reference', (m) => swap(m, 'URI="#body"', 'URI=""')],
  ['no URI', (m) => swap(m, ' URI="#body"', '')],
  ['an XPointer', (m) => swap(m, 'URI="#body"', `URI="#xpointer(id('body'))"`)],
  ['a reference elsewhere', (m) => swap(m, 'URI="#body"', 'URI="http://127.0.0.1/body"')],
  ['a file', (m) => swap(m, 'URI="#body"', 'URI="file:///etc/passwd"')],
  ['one reference twice', (m) => swap(m, 'URI="#body"', 'URI="#ts"')],
  ...[
    'http://www.w3.org/2000/09/xmldsig#enveloped-signature',
    'http://www.w3.org/TR/1999/REC-xpath-19991116',
    'http://www.w3.org/2002/06/xmldsig-filter2',
    'http://www.w3.org/TR/1999/REC-xslt-19991116',
    'http://www.w3.org/2000/09/xmldsig#base64',
    'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform',
    'http://www.w3.org/TR/2001/REC-xml-c14n-20010315',
    'http://www.w3.org/2001/10/xml-exc-c14n#WithComments',
  ].flatMap((algorithm): Attack[] => [
    [
      `the transform ${algorithm}`,
      (m) => swap(m, /<ds:Transform Algorithm="[^"]*">/, `<ds:Transform Algorithm="${algorithm}">`),
    ],
    [
      `the transform ${algorithm} besides`,
      (m) => swap(m, '</ds:Transforms>', `<ds:Transform Algorithm="${algorithm}"/></ds:Transforms>`),
    ],
    [
      `the canonical form ${algorithm}`,
      (m) =>
        swap(
          m,
          /<ds:CanonicalizationMethod Algorithm="[^"]*">/,
          `<ds:CanonicalizationMethod Algorithm="${algorithm}">`,
        ),
    ],
  ]),
  ...['#hmac-sha1', '#dsa-sha1', '#rsa-md5', 'urn:none', ''].map((name): Attack => [
    `the signature algorithm ${name}`,
    (m) => swap(m, '#rsa-sha1', name),
  ]),
  ['a digest by MD5', (m) => swap(m, 'xmldsig#sha1"', 'xmldsig-more#md5"')],
  [
    'a short HMAC',
    (m) =>
      swap(m, '</ds:SignatureMethod>', '<ds:HMACOutputLength>1</ds:HMACOutputLength></ds:SignatureMethod>'),
  ],
  [
    'an HMAC whose key is the certificate',
    (m) => {
      const hmac = swap(m, '#rsa-sha1', '#hmac-sha1')
      const der = Buffer.from(/>([^<]*)<\/wsse:BinarySecurityToken>/.exec(m)?.[1] ?? '', 'base64')
      const value = createHmac('sha1', der)
        .update(cut(hmac, /<ds:SignedInfo.*<\/ds:SignedInfo>/))
        .digest('base64')
      return swap(hmac, /<ds:SignatureValue>[^<]*/, `<ds:SignatureValue>${value}`)
    },
  ],
  ['no signature value', (m) => swap(m, /<ds:SignatureValue>[^<]*/, '<ds:SignatureValue>')],
  [
    'a signature value of nothing but padding',
    (m) => swap(m, /<ds:SignatureValue>[^<]*/, '<ds:SignatureValue>===='),
  ],
  ['a comment in a signature value', (m) => swap(m, /<ds:SignatureValue>/, '<ds:SignatureValue><!-- x -->')],
  ['a comment in a digest', (m) => swap(m, /<ds:DigestValue>/, '<ds:DigestValue><!-- x -->')],
  ['an element in a digest', (m) => swap(m, /<ds:DigestValue>/, '<ds:DigestValue><x/>')],
  [
    'keys in KeyInfo instead',
    (m) => swap(m, /<wsse:SecurityTokenReference.*<\/wsse:SecurityTokenReference>/, '<ds:X509Data/>'),
  ],
  ['KeyInfo that refers to the Body', (m) => swap(m, 'URI="#cert"', 'URI="#body"')],
  [
    'a manifest',
    (m) =>
      swap(
        m,
        '<ds:Reference URI="#body"',
        '<ds:Reference Type="http://www.w3.org/2000/09/xmldsig#Manifest" URI="#body"',
      ),
  ],
]

const documents: readonly Attack[] = [
  ['a document type', (m) => `<!DOCTYPE Envelope>${m}`],
  [
    'an external entity',
    (m) => `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>${swap(m, harmless, '&e;')}`,
  ],
  ['an external parameter entity', (m) => `<!DOCTYPE x [<!ENTITY % e SYSTEM "http://127.0.0.1/"> %e;]>${m}`],
  [
    'an entity bomb',
    (m) =>
      `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>${swap(m, harmless, '&c;')}`,
  ],
  ['an entity that nobody declared', (m) => swap(m, harmless, '&evil;')],
  ['a comment', (m) => swap(m, harmless, `<!-- x -->${harmless}`)],
  ['CDATA', (m) => swap(m, harmless, `<![CDATA[${evil}]]>`)],
  ['a processing instruction', (m) => swap(m, harmless, `<?php evil ?>${harmless}`)],
  ['a style sheet', (m) => `<?xml-stylesheet href="http://127.0.0.1/"?>${m}`],
  ['text behind it', (m) => `${m}x`],
  ['two documents', (m) => m + m],
  ['nothing', () => ' '],
  ['a NUL', (m) => swap(m, harmless, `\0${harmless}`)],
  ['a reference to NUL', (m) => swap(m, harmless, `&#0;${harmless}`)],
  ['another encoding', (m) => `<?xml version="1.0" encoding="UTF-16"?>${m}`],
  ['XML 1.1', (m) => `<?xml version="1.1"?>${m}`],
  ['great depth', (m) => swap(m, harmless, `${'<a>'.repeat(100_000)}${'</a>'.repeat(100_000)}`)],
  ['many elements', (m) => swap(m, harmless, '<a/>'.repeat(100_000))],
  [
    'many attributes',
    (m) => swap(m, harmless, `<a ${Array.from({ length: 5000 }, (_, index) => `b${index}=""`).join(' ')}/>`),
  ],
  ['an attribute twice', (m) => swap(m, 'wsu:Id="body"', 'wsu:Id="body" wsu:Id="body"')],
  [
    'an attribute twice by two prefixes',
    (m) => swap(m, 'wsu:Id="body"', `wsu:Id="body" xmlns:v="${wsu}" v:Id="body"`),
  ],
  ['a prefix that nobody declared', (m) => swap(m, harmless, '<z:a/>')],
  ['tags that cross', (m) => swap(m, harmless, '<a><b></a></b>')],
  ['SOAP 1.2', (m) => m.replaceAll(soap, 'http://www.w3.org/2003/05/soap-envelope')],
]

describe.each([
  ['signature wrapping', wrappings],
  ['algorithms and references', algorithms],
  ['documents', documents],
])('%s', (_kind, attacks) => {
  test.each(attacks)('%s', async (_what, make) => {
    const good = fresh()
    const bad = make(good)
    expect(bad).not.toBe(good)
    const answer = await sendSoap(cloud, bad)
    expect([answer.status, answer.code], answer.body).toEqual([
      500,
      expect.stringMatching(
        /^(?:soapenv:VersionMismatch|InvalidSOAPRequest|InvalidSecurity|SignatureDoesNotMatch|AuthFailure)$/,
      ),
    ])
  })
})

test('there are more wrappings than two dozen, and the message that they are made of is good', async () => {
  expect(wrappings.length).toBeGreaterThan(24)
  expect((await sendSoap(cloud, fresh())).status).toBe(200)
})

describe('again', () => {
  test('the same message, however it is written, is taken once', async () => {
    const message = fresh()
    expect((await sendSoap(cloud, message)).status).toBe(200)
    for (const again of [
      message,
      message.replace('<ds:SignatureValue>', '<ds:SignatureValue>\n '),
      message.replaceAll('<soapenv:Header>', '\n<soapenv:Header >'),
      message.replace('</ds:SignatureValue>', '&#10;</ds:SignatureValue>'),
    ]) {
      const answer = await sendSoap(cloud, again)
      expect(answer.code, answer.body).toMatch(/^(?:AuthFailure|SignatureDoesNotMatch)$/)
    }
  })
  test('a message whose action failed is not taken either', async () => {
    const message = signed(request('CreateSecurityGroup'), victim)
    expect((await sendSoap(cloud, message)).code).toBe('MissingParameter')
    expect((await sendSoap(cloud, message)).code).toBe('AuthFailure')
  })
  test('at once: one of many is taken', async () => {
    const message = fresh()
    const answers = await Promise.all(Array.from({ length: 8 }, () => sendSoap(cloud, message)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  })
  test('the row outlives the process and goes when the message is too old', async () => {
    const rows = () => cloud.cloud.record.read((db) => db.selectFrom('soap_message').selectAll().execute())
    await sendSoap(cloud, fresh())
    const [row] = (await rows()).slice(-1)
    expect(row!.expires_at).toBeGreaterThan(Date.now())
    await cloud.cloud.record.transaction('action', async (tx) => {
      await tx.db.updateTable('soap_message').set({ expires_at: 1 }).execute()
    })
    await sendSoap(cloud, fresh())
    expect(await rows()).toHaveLength(1)
  })
})

describe('time', () => {
  const minute = 60_000
  test.each([
    ['expired', { createdMs: Date.now() - 10 * minute }, 'RequestExpired'],
    ['of the future', { createdMs: Date.now() + 20 * minute }, 'RequestExpired'],
    ['good for too long', { createdMs: Date.now(), lifeMs: 25 * 60 * minute }, 'InvalidSecurity'],
    ['expired before it was made', { createdMs: Date.now(), lifeMs: -minute }, 'RequestExpired'],
  ])('%s', async (_what, options, code) => {
    expect((await sendSoap(cloud, signed(harmless, victim, options))).code).toBe(code)
  })
  test('a tampered Timestamp', async () => {
    const old = signed(harmless, victim, { createdMs: Date.now() - 10 * minute })
    const later = new Date(Date.now() + 5 * minute).toISOString()
    const answer = await sendSoap(cloud, old.replace(/<wsu:Expires>[^<]*/, `<wsu:Expires>${later}`))
    expect(answer.code).toBe('SignatureDoesNotMatch')
  })
  test.each([
    ['none', /<wsu:Timestamp.*<\/wsu:Timestamp>/, ''],
    ['without Created', /<wsu:Created>[^<]*<\/wsu:Created>/, ''],
    ['with two Expires', '<wsu:Created>', '<wsu:Expires>2037-01-01T00:00:00Z</wsu:Expires><wsu:Created>'],
    ['with words', /<wsu:Created>[^<]*/, '<wsu:Created>yesterday'],
  ])('a Timestamp %s, signed as it is', async (what, part, by) => {
    const unsigned = fresh().replace(theSignature, '').replace(part, by)
    const signedIds = what === 'none' ? ['body'] : ['ts', 'body']
    const answer = await sendSoap(cloud, signEnvelope(unsigned, victim, { signedIds }))
    expect(answer.code).toBe('InvalidSecurity')
  })
})

describe('what is signed, and by whom', () => {
  test.each([[['ts']], [['body']], [['cert']], [[]]])('only %j', async (signedIds) => {
    expect((await sendSoap(cloud, signed(harmless, victim, { signedIds }))).code).toBe('InvalidSecurity')
  })
  test('nothing at all', async () => {
    const body = `<soapenv:Body>${evil}</soapenv:Body>`
    const envelope = (header: string) =>
      `<soapenv:Envelope xmlns:soapenv="${soap}">${header}${body}</soapenv:Envelope>`
    expect((await sendSoap(cloud, envelope(''))).code).toBe('MissingSecurityHeader')
    expect((await sendSoap(cloud, envelope('<soapenv:Header/>'))).code).toBe('MissingSecurityHeader')
  })
  test('a certificate that nobody has', async () => {
    const stranger = await createSigningCertificate('stranger', Date.now())
    expect((await sendSoap(cloud, signed(evil, stranger))).code).toBe('AuthFailure')
  })
  test('a stranger is turned away before what it signed is looked at', async () => {
    const stranger = await createSigningCertificate('stranger', Date.now())
    const changed = swap(signed(harmless, stranger), harmless, evil)
    expect((await sendSoap(cloud, changed)).code).toBe('AuthFailure')
    expect((await sendSoap(cloud, swap(fresh(), harmless, evil))).code).toBe('SignatureDoesNotMatch')
  })
  test('a message that is too long', async () => {
    const padded = signed(request('DescribeRegions', ' '.repeat(256 * 1024)), victim)
    expect((await sendSoap(cloud, padded)).code).toBe('InvalidSOAPRequest')
  })
  test('the right certificate and another key learn nothing of whether it is known', async () => {
    const stranger = await createSigningCertificate('stranger', Date.now())
    for (const certificate of [victim.certificate, stranger.certificate]) {
      const answer = await sendSoap(cloud, signed(evil, { key: attacker.key, certificate }))
      expect(answer.code).toBe('SignatureDoesNotMatch')
    }
  })
  test('a certificate that was switched off, and one that was deleted', async () => {
    const made = await createSigningCertificate('off', Date.now())
    const id = await uploadCertificate(cloud, made.certificate)
    const iam = (action: string, parameters = {}) =>
      cloud.call(action, { CertificateId: id, ...parameters }, { service: 'iam', version: '2010-05-08' })
    expect((await sendSoap(cloud, signed(harmless, made))).status).toBe(200)
    await iam('UpdateSigningCertificate', { Status: 'Inactive' })
    expect((await sendSoap(cloud, signed(harmless, made))).code).toBe('AuthFailure')
    await iam('UpdateSigningCertificate', { Status: 'Active' })
    expect((await sendSoap(cloud, signed(harmless, made))).status).toBe(200)
    await iam('DeleteSigningCertificate')
    expect((await sendSoap(cloud, signed(harmless, made))).code).toBe('AuthFailure')
  })
  test('keys that are not RSA, and bytes that are no certificate', async () => {
    const elliptic = await createAuthority('elliptic', Date.now())
    const token = (der: string) => fresh().replace(/(<wsse:BinarySecurityToken[^>]*>)[^<]*/, `$1${der}`)
    const own = new X509Certificate(victim.certificate).raw
    for (const der of [
      new X509Certificate(elliptic.certificate).raw,
      generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'der' }),
      Buffer.concat([own, Buffer.from([0])]),
      Buffer.from(victim.certificate),
      Buffer.from('x'),
    ])
      expect((await sendSoap(cloud, token(der.toString('base64')))).code).toBe('InvalidSecurity')
  })
  test("the attacker's own message is the attacker's", async () => {
    const answer = await sendSoap(cloud, signed(request('DescribeSecurityGroups'), attacker))
    const owner = /<ownerId>(\d+)</.exec(answer.body)?.[1]
    expect(answer.status).toBe(200)
    expect(owner).not.toBe(cloud.admin.accountId)
  })
})

test('a signature of the query door does not open this one, and this one opens no other service', async () => {
  const message = signMessage(evil, attacker, { createdMs: Date.now() }).replace(theSecurity, '')
  expect((await sendSoap(cloud, message)).code).toBe('MissingSecurityHeader')
  const elsewhere = await sendSoap(cloud, fresh(), { url: '/services/Euare' })
  expect(elsewhere.status).toBe(403)
  const asForm = await sendSoap(cloud, fresh(), { type: 'application/x-www-form-urlencoded' })
  expect(asForm.status).toBe(403)
  expect(soapNamespace).toContain('2010-08-31')
})
