/**
 * Passwords of people, kept as Argon2id (RFC 9106) makes them, in the form of its reference implementation:
 * `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`. What it costs is in each hash, so that it can be raised.
 */
import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

/** 19 MiB and two passes: the OWASP Password Storage Cheat Sheet's choice where many may log in at once. */
const cost = { memory: 19_456, passes: 2, parallelism: 1 }
const hashBytes = 32
const derive = promisify(argon2)

/** Off the event loop, in about 30 ms. */
export async function hashPassword(password: string): Promise<string> {
  const nonce = randomBytes(16)
  const hash = await derive('argon2id', { message: password, nonce, tagLength: hashBytes, ...cost })
  const parts = `m=${cost.memory},t=${cost.passes},p=${cost.parallelism}`
  return `$argon2id$v=19$${parts}$${unpadded(nonce)}$${unpadded(hash)}`
}

/** Whether the password is that of the hash. Takes as long where it is not. */
export async function verifyPassword(password: string, hash: string): Promise<boolean> {
  const [, memory, passes, parallelism, salt, wanted] =
    /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(hash) ?? []
  if (salt === undefined || wanted === undefined) throw new Error('a password hash is none that is read here')
  const expected = Buffer.from(wanted, 'base64')
  const made = await derive('argon2id', {
    message: password,
    nonce: Buffer.from(salt, 'base64'),
    tagLength: expected.length,
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
  })
  return timingSafeEqual(made, expected)
}

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '')
