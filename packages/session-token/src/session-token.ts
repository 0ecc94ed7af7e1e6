/**
 * Temporary credentials: the token is the session itself, sealed (AES-256-GCM) with a key that only the cloud's own
 * daemons have. So no daemon keeps sessions, none has to be asked for one, and none can be lost; what the role or the
 * user may do is looked up anew at every request, so that a session ends with whom it stands for.
 */
import { createCipheriv, createDecipheriv, randomBytes, timingSafeEqual } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { newToken, systemRandom, type Random } from '@mallee/base'

/** 32 bytes under a name that each token carries, so that keys can be turned over. */
export interface SessionKey {
  readonly id: string
  readonly key: Buffer
}

/** Whom the session stands for. Ids are those of the record (`AROA…`, `AIDA…`). */
export type SessionHolder =
  | { readonly kind: 'role'; readonly roleId: string; readonly name: string }
  | { readonly kind: 'federated'; readonly userId: string; readonly name: string }
  /** Of GetSessionToken. */
  | { readonly kind: 'user'; readonly userId: string }

export interface SessionClaims {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly accountId: string
  readonly holder: SessionHolder
  readonly issuedAtMs: number
  readonly expiresAtMs: number
  /** Session policies, as JSON; absent where it was made without any. */
  readonly policies?: readonly string[] | undefined
  /** aws:PrincipalTag/… beside those of the role or user. */
  readonly tags?: Readonly<Record<string, string>> | undefined
  /** Keys of tags that go on to the next role. */
  readonly transitiveTagKeys?: readonly string[] | undefined
  readonly sourceIdentity?: string | undefined
  /** When a code of an MFA device was proven; absent where none was. */
  readonly mfaAtMs?: number | undefined
  /** Opened by a person's password. */
  readonly byPassword?: true | undefined
  /** The instance that the credentials were made for. */
  readonly instanceId?: string | undefined
  /** Condition keys of the identity provider that let the session be: `issuer:aud` and the like. */
  readonly federation?: Readonly<Record<string, string>> | undefined
}

const version = 1
/** Session policies have at most 2,048 characters each way, so that a token is never larger than a header may be. */
const longestToken = 16_384
const longestText = 65_536

/** Key id and secret for new claims. */
export function newSession(
  random: Random = systemRandom,
): Pick<SessionClaims, 'accessKeyId' | 'secretAccessKey'> {
  return {
    accessKeyId: newToken('ASIA', 16, random),
    secretAccessKey: Buffer.from(random.bytes(30))
      .toString('base64')
      .replaceAll('+', '0')
      .replaceAll('/', '1'),
  }
}

/** Base64, a few hundred characters; longer by the session's policies and tags. */
export function sealSession(claims: SessionClaims, { id, key }: SessionKey): string {
  const nonce = randomBytes(12)
  const head = Buffer.concat([Buffer.from([version, id.length]), Buffer.from(id, 'latin1')])
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(head)
  const text = deflateRawSync(Buffer.from(JSON.stringify(claims)))
  return Buffer.concat([head, nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()]).toString(
    'base64',
  )
}

/** What a token says; null for whatever is none of ours. Whether it is expired is the caller's to ask. */
export function openSession(token: string, keys: readonly SessionKey[]): SessionClaims | null {
  if (token.length > longestToken || !/^[A-Za-z0-9+/]+={0,2}$/.test(token)) return null
  const bytes = Buffer.from(token, 'base64')
  const idEnd = 2 + (bytes[1] ?? 0)
  if (bytes[0] !== version || bytes.length < idEnd + 12 + 16) return null
  const id = bytes.toString('latin1', 2, idEnd)
  const found = keys.find((key) => key.id === id)
  if (!found) return null
  try {
    const decipher = createDecipheriv('aes-256-gcm', found.key, bytes.subarray(idEnd, idEnd + 12))
    decipher.setAAD(bytes.subarray(0, idEnd))
    decipher.setAuthTag(bytes.subarray(-16))
    const text = Buffer.concat([decipher.update(bytes.subarray(idEnd + 12, -16)), decipher.final()])
    return JSON.parse(
      inflateRawSync(text, { maxOutputLength: longestText }).toString('utf8'),
    ) as SessionClaims
  } catch {
    return null
  }
}

/** Whether the key id that signed is the token's own: a token goes with no other key. */
export function maySign(claims: SessionClaims, accessKeyId: string): boolean {
  const [one, other] = [Buffer.from(claims.accessKeyId), Buffer.from(accessKeyId)]
  return one.length === other.length && timingSafeEqual(one, other)
}

/**
 * Condition keys that only temporary credentials have.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
 */
export function sessionConditions(
  session: Omit<SessionClaims, 'secretAccessKey'>,
  { nowMs, region }: { readonly nowMs: number; readonly region: string },
): Record<string, string | number | boolean | Date> {
  const { mfaAtMs, sourceIdentity, instanceId, accountId } = session
  return {
    ...session.federation,
    'aws:TokenIssueTime': new Date(session.issuedAtMs),
    'aws:MultiFactorAuthPresent': mfaAtMs !== undefined,
    ...(mfaAtMs === undefined ? {} : { 'aws:MultiFactorAuthAge': Math.floor((nowMs - mfaAtMs) / 1000) }),
    ...(sourceIdentity === undefined ? {} : { 'aws:SourceIdentity': sourceIdentity }),
    ...(instanceId === undefined
      ? {}
      : { 'ec2:SourceInstanceARN': `arn:aws:ec2:${region}:${accountId}:instance/${instanceId}` }),
  }
}
