/**
 * The requests of tgt's control socket, as its own tgtadm sends them: a structure of 120 bytes in the machine's byte
 * order, then parameters as text that ends with a zero; the answer is a code, a length, and that much text with it.
 * https://github.com/fujita/tgt (usr/tgtadm.h, Debian's 1.0.85)
 */
export const tgtModes = { system: 0, target: 1, logicalUnit: 2, connection: 6, account: 7 } as const
export const tgtOperations = { new: 0, delete: 1, show: 2, bind: 3, unbind: 4, update: 5 } as const

export interface TgtRequest {
  readonly mode: keyof typeof tgtModes
  readonly operation: keyof typeof tgtOperations
  readonly tid?: number
  readonly lun?: number
  readonly sid?: number
  readonly cid?: number
  readonly force?: boolean
  /** In their order; neither names nor values may hold a comma, which would end them. */
  readonly parameters?: Readonly<Record<string, string>>
  /** Of a logical unit, parameters that its kind understands: sent behind a word of their own. */
  readonly isUnitUpdate?: boolean
}

const headBytes = 120
const driver = 'iscsi'

/** Throws RangeError for parameters that the format cannot carry; the message does not repeat the value. */
export function encodeTgtRequest(request: TgtRequest): Buffer {
  const text = Object.entries(request.parameters ?? {})
    .map(([name, value]) => {
      if (/[,\0\n]/.test(value))
        throw new RangeError(`tgt cannot be told a ${name} with a comma, newline or zero`)
      return `${name}=${value}`
    })
    .join(',')
  const parameters = text === '' ? '' : request.isUnitUpdate ? `targetOps ${text},\0` : `${text}\0`
  const bytes = Buffer.alloc(headBytes + Buffer.byteLength(parameters))
  bytes.writeInt32LE(tgtModes[request.mode], 0)
  bytes.writeInt32LE(tgtOperations[request.operation], 4)
  bytes.write(driver, 8)
  bytes.writeUInt32LE(bytes.length, 72)
  bytes.writeInt32LE(request.tid ?? -1, 76)
  bytes.writeBigUInt64LE(BigInt(request.sid ?? 0), 80)
  bytes.writeBigInt64LE(BigInt(request.lun ?? -1), 88)
  bytes.writeUInt32LE(request.cid ?? 0, 96)
  bytes.writeUInt32LE(request.force ? 1 : 0, 116)
  bytes.write(parameters, headBytes)
  return bytes
}

/** The answer once it is whole; null while more must come. */
export function decodeTgtAnswer(bytes: Buffer): { code: number; text: string } | null {
  if (bytes.length < 8) return null
  const [code, length] = [bytes.readUInt32LE(0), bytes.readUInt32LE(4)]
  return bytes.length < length ? null : { code, text: bytes.toString('utf8', 8, length).replace(/\0+$/, '') }
}

/** tgt's own words for its codes. */
const answers: Readonly<Record<number, string>> = {
  1: 'unknown error',
  2: 'out of memory',
  3: 'can not find the low level driver',
  4: 'can not find the target',
  5: 'can not find the logical unit',
  6: 'can not find the session',
  7: 'can not find the connection',
  8: 'this target already exists',
  9: 'this access control rule already exists',
  10: 'this access control rule does not exist',
  11: 'this target is still active',
  12: 'this logical unit number already exists',
  13: 'this logical unit number is still active',
  14: 'unsupported operation',
  15: 'this account already exists',
  16: 'can not find the account',
  17: 'too many accounts',
  18: 'invalid request',
}

export function tgtAnswerText(code: number): string {
  return answers[code] ?? `code ${code}`
}
