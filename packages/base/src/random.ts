import { randomBytes } from 'node:crypto'

/** A source of randomness as an argument: the system's in production, seeded in simulation. */
export interface Random {
  /** `count` random bytes. */
  bytes(count: number): Uint8Array
  /** A number in [0, 1). */
  fraction(): number
}

/** Asking the system costs the same for many bytes as for few: ids are cut from what was asked for at once. */
const poolBytes = 4096
const mostFromPool = 64
let pool: Buffer = Buffer.alloc(0)
let taken = 0

/** Bytes that nobody was given before, and that are nobody's afterwards. */
function fromPool(count: number): Buffer {
  if (taken + count > pool.length) {
    pool = randomBytes(poolBytes)
    taken = 0
  }
  const bytes = Buffer.from(pool.subarray(taken, taken + count))
  pool.fill(0, taken, taken + count)
  taken += count
  return bytes
}

export const systemRandom: Random = {
  bytes: (count) => (count <= mostFromPool ? fromPool(count) : randomBytes(count)),
  fraction: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
}

/** A small deterministic generator (mulberry32): the same seed gives the same world. Never for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const fraction = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    fraction,
    bytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(fraction() * 256)),
  }
}
