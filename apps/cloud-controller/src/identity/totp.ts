/** Codes that change with time: RFC 6238 over HMAC-SHA-1, six digits, a new one every 30 seconds. */
import { createHmac, timingSafeEqual } from 'node:crypto'

const stepMs = 30_000
/** A clock may be off by this many steps, either way. */
const drift = 1
/** Where a device is made known its clock may be off further, as two codes in a row prove more. */
const widerDrift = 10

export const stepAt = (nowMs: number): number => Math.floor(nowMs / stepMs)

/** The code of one step, with its leading zeros. */
export function codeOf(seed: Buffer, step: number): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step))
  const mac = createHmac('sha1', seed).update(counter).digest()
  const offset = mac[mac.length - 1]! & 0x0f
  return String((mac.readUInt32BE(offset) & 0x7fff_ffff) % 1_000_000).padStart(6, '0')
}

/** The step whose code this is; null where it is none of now, or one that is not newer than the last that was taken. */
export function stepOfCode(seed: Buffer, code: string, nowMs: number, usedStep: number): number | null {
  const now = stepAt(nowMs)
  let found: number | null = null
  for (let step = now - drift; step <= now + drift; step += 1)
    if (step > usedStep && isCode(seed, step, code)) found ??= step
  return found
}

/** The step of the second of two codes that a device showed one after the other; null where they are not. */
export function stepOfPair(
  seed: Buffer,
  codes: readonly [string, string],
  nowMs: number,
  usedStep: number,
): number | null {
  const now = stepAt(nowMs)
  let found: number | null = null
  for (let step = now - widerDrift; step < now + widerDrift; step += 1)
    if (step >= usedStep && isCode(seed, step, codes[0]) && isCode(seed, step + 1, codes[1]))
      found ??= step + 1
  return found
}

function isCode(seed: Buffer, step: number, code: string): boolean {
  const expected = Buffer.from(codeOf(seed, step))
  const given = Buffer.from(code)
  return given.length === expected.length && timingSafeEqual(given, expected)
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** RFC 4648, for whole groups of five bytes. */
export function toBase32(bytes: Buffer): string {
  let text = ''
  let bits = 0
  let value = 0
  for (const byte of bytes) {
    value = ((value & 0xff) << 8) | byte
    bits += 8
    for (; bits >= 5; bits -= 5) text += alphabet[(value >> (bits - 5)) & 31]
  }
  return text
}
