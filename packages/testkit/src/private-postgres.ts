import { execFile, spawnSync } from 'node:child_process'
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const versions = '/usr/lib/postgresql'

/** Why no PostgreSQL can be started here, or null when it can. For skipping tests aloud. */
export function whyNoPostgres(): string | null {
  if (!existsSync(versions)) return 'PostgreSQL is not installed'
  if (process.getuid?.() !== 0) return 'not root'
  return spawnSync('id', ['postgres']).status === 0 ? null : 'there is no user postgres'
}

export interface PrivatePostgres {
  /** Of the maintenance database. */
  readonly url: string
  stop(): Promise<void>
}

/** A PostgreSQL of the test's own: a new cluster in a temporary folder, on a unix socket and no port, removed at its end. */
export async function startPrivatePostgres(): Promise<PrivatePostgres> {
  const version = (await readdir(versions)).toSorted().at(-1)!
  const program = (name: string) => path.join(versions, version, 'bin', name)
  const dir = await mkdtemp(path.join(tmpdir(), 'mallee-pg-'))
  const { stdout: uid } = await run('id', ['-u', 'postgres'])
  const { stdout: gid } = await run('id', ['-g', 'postgres'])
  await chown(dir, Number(uid), Number(gid))
  const data = path.join(dir, 'data')
  const asPostgres = (file: string, args: string[]) =>
    run('setpriv', ['--reuid=postgres', '--regid=postgres', '--init-groups', file, ...args], {
      cwd: dir,
      timeout: 60_000,
    })
  await asPostgres(program('initdb'), [
    '-D',
    data,
    '-A',
    'trust',
    '-U',
    'postgres',
    '--no-sync',
    '-E',
    'UTF8',
    '--locale=C',
  ])
  const settings = `-c listen_addresses='' -c unix_socket_directories='${dir}' -c max_connections=200 -c fsync=off -c max_pred_locks_per_transaction=1024`
  await asPostgres(program('pg_ctl'), [
    '-D',
    data,
    '-w',
    '-o',
    settings,
    '-l',
    path.join(dir, 'log'),
    'start',
  ])
  return {
    url: `postgres://postgres@/postgres?host=${encodeURIComponent(dir)}`,
    async stop() {
      await asPostgres(program('pg_ctl'), ['-D', data, '-m', 'immediate', '-w', 'stop']).catch(() => {})
      await rm(dir, { recursive: true, force: true })
    },
  }
}
