/** Reed-Solomon codes over GF(256) with the polynomial that QR codes use, 0x11d. */
const exponents = new Uint8Array(255)
const logarithms = new Uint8Array(256)
for (let power = 0, value = 1; power < 255; power += 1) {
  exponents[power] = value
  logarithms[value] = power
  value <<= 1
  if (value > 255) value ^= 0x11d
}

const times = (a: number, b: number): number =>
  a === 0 || b === 0 ? 0 : exponents[(logarithms[a]! + logarithms[b]!) % 255]!

/** The product of (x - 2^i), without its leading 1. */
function generator(degree: number): number[] {
  let product = [1]
  for (let root = 0; root < degree; root += 1) {
    const next = [...product, 0]
    for (const [at, factor] of product.entries()) next[at + 1]! ^= times(factor, exponents[root]!)
    product = next
  }
  return product.slice(1)
}

/** The codewords that go behind the data. */
export function errorCorrection(data: Uint8Array, count: number): Buffer {
  const factors = generator(count)
  const rest = Buffer.alloc(count)
  for (const byte of data) {
    const lead = byte ^ rest[0]!
    rest.copyWithin(0, 1)
    rest[count - 1] = 0
    for (const [at, factor] of factors.entries()) rest[at]! ^= times(factor, lead)
  }
  return rest
}
