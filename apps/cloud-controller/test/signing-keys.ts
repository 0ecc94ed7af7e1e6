import { createSigningCertificate, type KeyAndCertificate } from '@mallee/pki'

/** One of each name for all clouds of a process, of whatever time: making one takes longer than the rest of a start. */
const made = new Map<string, Promise<KeyAndCertificate>>()

export function makeSigningKey(commonName: string): Promise<KeyAndCertificate> {
  const key = made.get(commonName) ?? createSigningCertificate(commonName, Date.now())
  made.set(commonName, key)
  return key
}
