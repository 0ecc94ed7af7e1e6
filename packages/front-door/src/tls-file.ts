import { readFile } from 'node:fs/promises'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { Log } from '@mallee/base'
import type { DoorTls } from '@mallee/service-kit'

const lookEveryMs = 1_000

/**
 * Watches the PEM file that the cloud controller keeps for the door (key, own certificate, authority): it may come after
 * us, and it is replaced when the certificate is renewed. What cannot be used is said once and the last good one stays.
 */
export function watchTlsFile(
  file: string,
  deps: { log: Log; use: (tls: DoorTls & { ca: string }) => void },
): { close(): void } {
  let held = ''
  let complaint = ''
  const look = async () => {
    const text = await readFile(file, 'utf8').catch(() => null)
    if (text === null || text === held) return
    try {
      deps.use(parseTlsFile(text))
      held = text
      complaint = ''
      deps.log.info({ file }, 'TLS certificate in use')
    } catch {
      // The text holds the key: nothing of it, nor of an error about it, is said.
      if (complaint !== text) deps.log.error({ file }, 'the TLS file cannot be used')
      complaint = text
    }
  }
  void look()
  const timer = setInterval(() => void look(), lookEveryMs)
  timer.unref()
  return { close: () => clearInterval(timer) }
}

const block = (kind: string) => new RegExp(`-----BEGIN ${kind}-----[^-]+-----END ${kind}-----`, 'g')

/** Throws an Error where the text is no key with at least two certificates. */
export function parseTlsFile(text: string): DoorTls & { ca: string } {
  const [key] = text.match(block('PRIVATE KEY')) ?? []
  const certificates = text.match(block('CERTIFICATE')) ?? []
  const ca = certificates.at(-1)
  if (key === undefined || ca === undefined || certificates.length < 2)
    throw new Error('a key, a certificate and its authority are needed')
  if (!new X509Certificate(certificates[0]!).checkPrivateKey(createPrivateKey(key)))
    throw new Error('the key is not the one of the certificate')
  return { key, cert: certificates.join('\n'), ca }
}
