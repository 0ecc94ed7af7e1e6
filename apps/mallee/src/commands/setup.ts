import { MalleeError } from '@mallee/base'
import { installPackages, neededPackages } from '../host/packages.ts'
import { fetchStarterPackages } from '../starter-image/debian-files.ts'
import { parseCommand, step } from './command.ts'

export async function runSetup(args: string[]): Promise<void> {
  parseCommand(args, {}, { least: 0, most: 0, usage: 'setup' })
  await setup()
}

/** Installs the Debian packages that are missing and fetches the starter image's; npm's are here, or this would not run. */
export async function setup(
  extra: readonly string[] = [],
  options: { client: boolean } = { client: true },
): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new MalleeError({
      code: 'NotRoot',
      publicMessage: 'The cloud makes namespaces, bridges and machines: run this as root.',
    })
  const missing = await neededPackages(extra, options)
  if (missing.length > 0) {
    step(`installing ${missing.length} Debian packages: ${missing.join(' ')}`)
    await installPackages(missing)
  }
  await fetchStarterPackages()
}
