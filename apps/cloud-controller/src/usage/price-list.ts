import { Ajv } from 'ajv'
import { MalleeError } from '@mallee/base'

/**
 * What the administrator takes for what is used. Varieties are instance types and volume types; `*` is for all others. What has no
 * price costs nothing.
 */
export interface PriceList {
  readonly currency: string
  readonly prices: {
    /** Per hour. */
    readonly instance?: Prices
    /** Per GiB and month. */
    readonly volume?: Prices
    /** Per GiB and month. */
    readonly snapshot?: Prices
    /** Per hour. */
    readonly address?: Prices
    /** Per GiB and month. */
    readonly bucket?: Prices
    /** Per GiB. */
    readonly 'network-in'?: Prices
    /** Per GiB. */
    readonly 'network-out'?: Prices
  }
}

type Prices = Readonly<Record<string, number>>

/** Until the administrator says otherwise: usage is told, and costs nothing. */
export const noPrices: PriceList = { currency: 'USD', prices: {} }

const prices = {
  type: 'object',
  maxProperties: 1000,
  additionalProperties: { type: 'number', minimum: 0, maximum: 1_000_000 },
}
const validate = new Ajv({ strict: true }).compile<PriceList>({
  type: 'object',
  additionalProperties: false,
  required: ['currency', 'prices'],
  properties: {
    currency: { type: 'string', pattern: '^[A-Z]{3}$' },
    prices: {
      type: 'object',
      additionalProperties: false,
      properties: {
        ...{ instance: prices, volume: prices, snapshot: prices, address: prices, bucket: prices },
        ...{ 'network-in': prices, 'network-out': prices },
      },
    },
  },
})

/** Throws BadRequest for what is no price list. */
export function requirePriceList(value: unknown): PriceList {
  if (validate(value)) return value
  const [fault] = validate.errors ?? []
  throw new MalleeError({
    code: 'BadRequest',
    publicMessage: `This is no price list: ${fault?.instancePath ?? ''} ${fault?.message ?? ''}.`,
  })
}

export function priceOf(
  { prices: all }: PriceList,
  kind: keyof PriceList['prices'],
  variety: string,
): number {
  const of = all[kind]
  if (!of) return 0
  return (Object.hasOwn(of, variety) ? of[variety] : of['*']) ?? 0
}
