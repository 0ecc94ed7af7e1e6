import { execFile, spawn } from 'node:child_process'
import { open } from 'node:fs/promises'
import { promisify } from 'node:util'
import { writePidFile, type ProcessMark } from '@mallee/base'
import { blockBytes } from '@mallee/volume-snapshots'

const run = promisify(execFile)
export const overlayProgram = '/usr/bin/qemu-storage-daemon'

/** Files of a volume whose bytes are still coming, as the program that joins them sees them. */
export interface OverlayFiles {
  /** Which blocks are here already; its bytes lie in `raw`, each at its own place. */
  readonly map: string
  readonly raw: string
  /** Where the whole appears as one file. */
  readonly whole: string
}

/** Throws where the two cannot be made. Blocks of the map are those of snapshots: each comes as one. */
export async function createOverlay(map: string, raw: string, sizeBytes: number): Promise<void> {
  const options = `cluster_size=${blockBytes},data_file=${raw},size=${sizeBytes}`
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, map])
}

export interface Stretch {
  readonly offset: number
  readonly length: number
  /** Written, or said to be zeros, since the map was made. */
  readonly isHere: boolean
  readonly isZeros: boolean
}

/** Of an overlay that nobody has open. */
export async function readOverlay(map: string, raw: string): Promise<Stretch[]> {
  const image = `driver=qcow2,file.filename=${map},data-file.filename=${raw}`
  const { stdout } = await run('qemu-img', ['map', '--output=json', '--image-opts', image], {
    maxBuffer: 1024 ** 3,
  })
  const found = JSON.parse(stdout) as { start: number; length: number; present: boolean; zero: boolean }[]
  return found.map(({ start, length, present, zero }) => ({
    ...{ offset: start, length, isHere: present, isZeros: zero },
  }))
}

/** Makes the bytes zeros, and gives their room back. */
export async function punch(file: string, stretches: readonly Stretch[]): Promise<void> {
  for (const { offset, length } of stretches)
    await run('fallocate', ['--punch-hole', '--offset', String(offset), '--length', String(length), file])
}

/** Starts the program detached: guests read and write through it while we restart. */
export async function spawnOverlay(options: {
  readonly files: OverlayFiles
  readonly within: readonly string[]
  readonly nbdSocket: string
  readonly exportName: string
  readonly pidFile: string
  readonly logFile: string
}): Promise<ProcessMark> {
  const { files, nbdSocket, exportName } = options
  const blockdev = (...words: string[]) => ['--blockdev', words.join(',')]
  const args = [
    ...blockdev('driver=file', 'node-name=map', `filename=${files.map}`),
    ...blockdev('driver=file', 'node-name=raw', `filename=${files.raw}`, 'discard=unmap'),
    ...blockdev(
      ...['driver=nbd', 'node-name=far', 'server.type=unix', `server.path=${nbdSocket}`],
      ...[`export=${exportName}`, 'read-only=on', 'reconnect-delay=1000000000'],
    ),
    ...blockdev(
      'driver=qcow2',
      'node-name=joined',
      'file=map',
      'data-file=raw',
      'backing=far',
      'discard=unmap',
    ),
    ...blockdev('driver=copy-on-read', 'node-name=whole', 'file=joined', 'discard=unmap'),
    '--export',
    `type=fuse,id=whole,node-name=whole,mountpoint=${files.whole},writable=on,growable=off,allow-other=off`,
  ]
  const [program, ...rest] = [...options.within, overlayProgram, ...args]
  const output = await open(options.logFile, 'w', 0o640)
  const child = spawn(program!, rest, { detached: true, stdio: ['ignore', output.fd, output.fd], cwd: '/' })
  child.on('error', () => {}) // its file system does not appear, and that is looked for
  await output.close()
  child.unref()
  return writePidFile(options.pidFile, child.pid ?? 0)
}
