import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { writeAtomically } from '@mallee/base'
import type { RouterPlan } from './plan.ts'

/**
 * What each router was last told to translate. Flows go on under a translation that was taken back, until they are
 * ended by hand; so it is kept over restarts what there was to take back.
 */
export interface Translation {
  /** Of an interface, or of a NAT gateway. */
  readonly interfaceId: string
  readonly privateIp: string
  readonly publicIp: string | null
}
export type Translations = Readonly<Record<string, readonly Translation[]>>

export function translationsOf(routers: readonly RouterPlan[]): Translations {
  return Object.fromEntries(routers.map((router) => [router.namespace, ofRouter(router)]))
}

export function ofRouter(router: RouterPlan): Translation[] {
  return [
    ...router.ports.flatMap(({ interfaceId, addresses }) =>
      addresses.map(({ privateIp, publicIp }) => ({ interfaceId, privateIp, publicIp })),
    ),
    ...router.natGateways.map(({ natGatewayId, privateIp, publicIp }) => ({
      interfaceId: natGatewayId,
      privateIp,
      publicIp,
    })),
  ]
}

const fileOf = (runDir: string) => path.join(runDir, 'translations.json')

export async function readTranslations(runDir: string): Promise<Translations> {
  try {
    return JSON.parse(await readFile(fileOf(runDir), 'utf8')) as Translations
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
}

export async function writeTranslations(runDir: string, translations: Translations): Promise<void> {
  await writeAtomically(fileOf(runDir), JSON.stringify(translations), 0o644)
}

/**
 * Lines that end the flows which a router translates by an address that is no longer its interface's: those that came
 * in by the public address, those that left with it, and all of a private address that is gone.
 */
export function staleTranslations(before: readonly Translation[], now: readonly Translation[]): string[] {
  return before.flatMap((old) => {
    const same = now.find(
      (entry) => entry.interfaceId === old.interfaceId && entry.privateIp === old.privateIp,
    )
    const lines: string[] = []
    if (!same) lines.push(`-D -s ${old.privateIp}`, `-D -r ${old.privateIp}`)
    if (old.publicIp !== null && same?.publicIp !== old.publicIp)
      lines.push(`-D -d ${old.publicIp}`, `-D -q ${old.publicIp}`)
    return lines
  })
}
