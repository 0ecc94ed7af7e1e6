import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'

/** What the test uses of docker-compose.yml; anything else in a service is listed here or refused. */
export interface ComposeService {
  readonly name: string
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly mounts: readonly { readonly source: string; readonly target: string; readonly readOnly: boolean }[]
  /** Container ports that are published. */
  readonly ports: readonly number[]
  readonly restarts: boolean
}

const known = new Set([
  'image',
  'build',
  'working_dir',
  'restart',
  'stop_grace_period',
  'command',
  'environment',
  'volumes',
  'ports',
  'depends_on',
  'privileged',
])

interface RawService {
  readonly command: string[]
  readonly environment?: Record<string, string>
  readonly volumes?: string[]
  readonly ports?: string[]
  readonly restart?: string
}

/** The services in their order; named volumes become folders of `volumesDir`, relative paths are the checkout's. */
export function readComposeFile(root: string, volumesDir: string): ComposeService[] {
  const text = readFileSync(path.join(root, 'docker-compose.yml'), 'utf8')
  const file = parse(text, { merge: true }) as {
    services: Record<string, RawService>
    volumes: Record<string, unknown>
  }
  return Object.entries(file.services).map(([name, service]) => {
    const foreign = Object.keys(service).find((key) => !known.has(key))
    if (foreign !== undefined) throw new Error(`${name} uses ${foreign}, which this test does not know`)
    return {
      name,
      command: service.command,
      environment: service.environment ?? {},
      mounts: (service.volumes ?? []).map((line) => {
        const [source = '', target = '', mode = 'rw'] = line.split(':')
        const named = source in file.volumes
        if (!named && !source.startsWith('./')) throw new Error(`${name}: no volume is called ${source}`)
        return {
          source: named ? path.join(volumesDir, source) : path.join(root, source),
          target,
          readOnly: mode === 'ro',
        }
      }),
      ports: (service.ports ?? []).map((line) => Number(line.split(':').at(-1))),
      restarts: service.restart === 'unless-stopped',
    }
  })
}
