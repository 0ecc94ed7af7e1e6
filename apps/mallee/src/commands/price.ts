import { readFile } from 'node:fs/promises'
import { MalleeError } from '@mallee/base'
import { adminCall } from '../admin-client.ts'
import { adminSocket } from '../host/daemons.ts'
import { requireLayout } from '../layout.ts'
import { parseCommand, print } from './command.ts'

const usage = 'price show | set FILE'

/** The price list, as JSON: shown, or replaced by a file's. */
export async function runPrice(args: string[]): Promise<void> {
  const { stateDir, positionals } = parseCommand(args, {}, { least: 1, most: 2, usage })
  const socket = adminSocket(requireLayout(stateDir))
  const [verb, file] = positionals
  const tell = (list: unknown) => print(JSON.stringify(list, null, 2))
  if (verb === 'show' && file === undefined) return tell(await adminCall(socket, 'GET', '/admin/v1/prices'))
  if (verb === 'set' && file !== undefined)
    return tell(await adminCall(socket, 'PUT', '/admin/v1/prices', await document(file)))
  throw new MalleeError({ code: 'Usage', publicMessage: `usage: ./mallee ${usage}` })
}

async function document(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as unknown
  } catch (cause) {
    throw new MalleeError({ code: 'BadFile', publicMessage: `${file} is no JSON that can be read.`, cause })
  }
}
