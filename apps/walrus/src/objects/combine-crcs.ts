/**
 * The CRC of a whole from the CRCs of its parts, without reading a byte: appending n bytes multiplies the remainder by
 * x^(8n) modulo the polynomial. Initial value and final inversion cancel out, as in zlib's crc32_combine.
 */
interface Polynomial {
  readonly bits: bigint
  /** Reflected. */
  readonly value: bigint
}

export const crcPolynomials = {
  CRC32: { bits: 32n, value: 0xedb88320n },
  CRC32C: { bits: 32n, value: 0x82f63b78n },
  CRC64NVME: { bits: 64n, value: 0x9a6c9329ac4bc9b5n },
} as const satisfies Record<string, Polynomial>
export type CombinableCrc = keyof typeof crcPolynomials

/** `crcs` big-endian, as S3 has them; answers likewise. */
export function combineCrcs(
  name: CombinableCrc,
  parts: readonly { crc: Buffer; sizeBytes: number }[],
): Buffer {
  const polynomial = crcPolynomials[name]
  const shifts = new Map<number, bigint>()
  let sum = 0n
  for (const part of parts) {
    let shift = shifts.get(part.sizeBytes)
    if (shift === undefined) {
      shift = powerOfX(BigInt(part.sizeBytes) * 8n, polynomial)
      shifts.set(part.sizeBytes, shift)
    }
    sum = multiply(sum, shift, polynomial) ^ BigInt(`0x${part.crc.toString('hex')}`)
  }
  const digits = Number(polynomial.bits) / 4
  return Buffer.from(sum.toString(16).padStart(digits, '0'), 'hex')
}

/** Product of two reflected polynomials: the highest bit is x^0. */
function multiply(a: bigint, b: bigint, { bits, value }: Polynomial): bigint {
  let product = 0n
  let factor = b
  for (let mask = 1n << (bits - 1n); mask > 0n; mask >>= 1n) {
    if (a & mask) product ^= factor
    factor = factor & 1n ? (factor >> 1n) ^ value : factor >> 1n
  }
  return product
}

function powerOfX(exponent: bigint, polynomial: Polynomial): bigint {
  let result = 1n << (polynomial.bits - 1n)
  let square = 1n << (polynomial.bits - 2n)
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = multiply(result, square, polynomial)
    square = multiply(square, square, polynomial)
  }
  return result
}
