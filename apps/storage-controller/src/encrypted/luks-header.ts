import { createHash, pbkdf2Sync, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import { MalleeError } from '@mallee/base'
import { decryptSectors, encryptSectors, sectorBytes } from './sectors.ts'

/**
 * The header of a LUKS (version 1) container: a random master key, wrapped under a passphrase.
 * https://gitlab.com/cryptsetup/cryptsetup/-/wikis/Specification
 *
 * Written by us, because QEMU measures this machine for seconds before it writes one, whatever it is told. What that
 * would find out is worth nothing here: stretching makes guesses of a human's passphrase dear, and ours is 256 random
 * bits. So the least that other programs take is used.
 */
const iterations = 1000
const masterKeyBytes = 64
const stripes = 4000
const slots = 8
const slotSectors = 504 // of 500 that hold something, in whole pages
const firstSlotSector = 8
const digestBytes = 20
const hashBytes = 32
const enabled = 0x00ac71f3
const disabled = 0x0000dead
const at = { mkDigest: 112, mkSalt: 132, mkIterations: 164, uuid: 168, slots: 208 }
const slotBytes = 48

export const luksHeaderBytes = (firstSlotSector + slots * slotSectors) * sectorBytes

export function makeLuksHeader(passphrase: string): { header: Buffer; masterKey: Buffer } {
  const masterKey = randomBytes(masterKeyBytes)
  const header = Buffer.alloc(luksHeaderBytes)
  header.write('LUKS\xba\xbe', 0, 'latin1')
  header.writeUInt16BE(1, 6)
  header.write('aes', 8)
  header.write('xts-plain64', 40)
  header.write('sha256', 72)
  header.writeUInt32BE(luksHeaderBytes / sectorBytes, 104)
  header.writeUInt32BE(masterKeyBytes, 108)
  const mkSalt = randomBytes(32)
  derive(masterKey, mkSalt, digestBytes).copy(header, at.mkDigest)
  mkSalt.copy(header, at.mkSalt)
  header.writeUInt32BE(iterations, at.mkIterations)
  header.write(randomUUID(), at.uuid)
  const salt = randomBytes(32)
  for (let slot = 0; slot < slots; slot += 1) {
    const from = at.slots + slot * slotBytes
    header.writeUInt32BE(slot === 0 ? enabled : disabled, from)
    if (slot === 0) header.writeUInt32BE(iterations, from + 4)
    if (slot === 0) salt.copy(header, from + 8)
    header.writeUInt32BE(firstSlotSector + slot * slotSectors, from + 40)
    header.writeUInt32BE(stripes, from + 44)
  }
  const wrapping = derive(Buffer.from(passphrase), salt, masterKeyBytes)
  encryptSectors(wrapping, split(masterKey), 0).copy(header, firstSlotSector * sectorBytes)
  return { header, masterKey }
}

/** The master key; throws MalleeError for another passphrase and for what is no header of ours. */
export function openLuksHeader(header: Buffer, passphrase: string): Buffer {
  if (header.length < luksHeaderBytes || header.toString('latin1', 0, 6) !== 'LUKS\xba\xbe')
    throw notOpened('it has no LUKS header')
  const salt = header.subarray(at.slots + 8, at.slots + 40)
  const wrapping = derive(Buffer.from(passphrase), salt, masterKeyBytes)
  const from = firstSlotSector * sectorBytes
  const material = header.subarray(from, from + stripes * masterKeyBytes)
  const masterKey = merge(decryptSectors(wrapping, material, 0))
  const digest = derive(masterKey, header.subarray(at.mkSalt, at.mkSalt + 32), digestBytes)
  if (timingSafeEqual(digest, header.subarray(at.mkDigest, at.mkDigest + digestBytes))) return masterKey
  throw notOpened('its key is another')
}

function derive(secret: Buffer, salt: Buffer, length: number): Buffer {
  return pbkdf2Sync(secret, salt, iterations, length, 'sha256')
}

/** Spreads the key over stripes of which every one is needed, so that losing any makes it unreadable. */
function split(key: Buffer): Buffer {
  const material = randomBytes(stripes * key.length)
  const last = (stripes - 1) * key.length
  const mixed = mix(material, stripes - 1, key.length)
  for (let index = 0; index < key.length; index += 1) material[last + index] = mixed[index]! ^ key[index]!
  return material
}

function merge(material: Buffer): Buffer {
  const key = mix(material, stripes - 1, masterKeyBytes)
  const last = (stripes - 1) * masterKeyBytes
  for (let index = 0; index < key.length; index += 1) key[index]! ^= material[last + index]!
  return key
}

function mix(material: Buffer, count: number, length: number): Buffer {
  let mixed: Buffer = Buffer.alloc(length)
  for (let stripe = 0; stripe < count; stripe += 1) {
    for (let index = 0; index < length; index += 1) mixed[index]! ^= material[stripe * length + index]!
    mixed = diffuse(mixed)
  }
  return mixed
}

function diffuse(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  const number = Buffer.alloc(4)
  for (let from = 0; from < bytes.length; from += hashBytes) {
    number.writeUInt32BE(from / hashBytes)
    parts.push(
      createHash('sha256')
        .update(number)
        .update(bytes.subarray(from, from + hashBytes))
        .digest(),
    )
  }
  return Buffer.concat(parts)
}

function notOpened(why: string): MalleeError {
  return new MalleeError({
    code: 'VolumeNotOpened',
    publicMessage: `The encrypted volume cannot be opened: ${why}.`,
  })
}
