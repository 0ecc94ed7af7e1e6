import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { isIPv4 } from 'node:net'
import path from 'node:path'
import { errorMessage, hourMs, writeAtomically, type Clock, type Log } from '@mallee/base'
import { cloudServerName, issueCertificate, renewAtMs, type KeyAndCertificate } from '@mallee/pki'

const lookEveryMs = hourMs

/** Where the front door finds its key and certificate. */
export function doorCertificateFile(stateDir: string): string {
  return path.join(stateDir, 'pki', 'door.pem')
}

/**
 * The public door's own key and certificate in one PEM file (key, certificate, authority), mode 0600: written anew when
 * the names that clients use have changed or two thirds of its life have passed. Harmless when repeated.
 */
export async function ensureDoorCertificate(options: {
  file: string
  authority: KeyAndCertificate
  /** Names and IPv4 addresses under which clients reach the door, besides those of this machine's loopback. */
  publicNames: readonly string[]
  nowMs: number
}): Promise<void> {
  const { authority, file, nowMs } = options
  const all = [...new Set(['localhost', cloudServerName, '127.0.0.1', ...options.publicNames])]
  if (isStillGood(await readFile(file, 'utf8').catch(() => ''), all, nowMs)) return
  const own = await issueCertificate({
    authority,
    commonName: options.publicNames[0] ?? 'localhost',
    names: { dns: all.filter((name) => !isIPv4(name)), ip: all.filter((name) => isIPv4(name)) },
    nowMs,
  })
  await writeAtomically(file, `${own.key}\n${own.certificate}\n${authority.certificate}\n`)
}

function isStillGood(text: string, names: readonly string[], nowMs: number): boolean {
  const pem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(text)?.[0]
  if (pem === undefined || renewAtMs(pem) < nowMs) return false
  const listed = new Set(
    (new X509Certificate(pem).subjectAltName ?? '').split(', ').map((entry) => entry.replace(/^[^:]+:/, '')),
  )
  return names.length === listed.size && names.every((name) => listed.has(name))
}

/** Looks again from time to time until stopped, so that a door that runs for years never shows an expired one. */
export function keepDoorCertificate(
  options: Omit<Parameters<typeof ensureDoorCertificate>[0], 'nowMs'>,
  deps: { clock: Clock; log: Log },
): { close(): void } {
  const timer = setInterval(() => {
    ensureDoorCertificate({ ...options, nowMs: deps.clock.now() }).catch((error: unknown) =>
      deps.log.error({ reason: errorMessage(error) }, "the door's certificate could not be renewed"),
    )
  }, lookEveryMs)
  timer.unref()
  return { close: () => clearInterval(timer) }
}
