import { spawn } from 'node:child_process'
import { access, open } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { MalleeError, writePidFile } from '@mallee/base'

export const storageDaemonProgram = '/usr/bin/qemu-storage-daemon'

/** Whether this machine has what it takes. */
export function canServeBlocks(): Promise<boolean> {
  return access(storageDaemonProgram).then(
    () => true,
    () => false,
  )
}

const answerMs = 20_000

type Answer = { return?: unknown; error?: { desc: string }; event?: string; QMP?: unknown }

/** What a storage daemon is to show. */
export interface BlockRecipe {
  /** As `blockdev-add` takes them, one upon the other; the last is named `volume`. */
  readonly nodes: readonly object[]
  /** That the nodes name `key`; null where they need none. */
  readonly secret: string | null
}

export interface ServedBlocks extends BlockRecipe {
  /** Words before the program, which make it see the files. */
  readonly within: readonly string[]
  /** An empty file, in whose place the blocks appear. */
  readonly openFile: string
  readonly writable: boolean
  readonly pidFile: string
  readonly logFile: string
}

/**
 * Starts QEMU's storage daemon detached, and has it show blocks as a plain file until it is ended. All that it is to do it
 * is told over a socket that it inherits and that no one else can reach: a key is in no argument, no environment and no
 * file. Resolves when the file is there; when it rejects nothing of the daemon is left.
 */
export async function serveBlocks(options: ServedBlocks): Promise<void> {
  const args = ['--chardev', 'socket,id=control,fd=3', '--monitor', 'chardev=control']
  const [program, ...rest] = [...options.within, storageDaemonProgram, ...args]
  const output = await open(options.logFile, 'a', 0o640)
  const child = spawn(program!, rest, {
    detached: true,
    stdio: ['ignore', output.fd, output.fd, 'pipe'],
    cwd: '/',
  })
  child.on('error', () => {}) // it does not answer, and that is noticed
  await output.close()
  child.unref()
  const control = new Control(child.stdio[3] as Socket)
  try {
    await writePidFile(options.pidFile, child.pid ?? 0)
    await configure(control, options)
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  } finally {
    control.close()
  }
}

async function configure(
  control: Control,
  { nodes, openFile, secret, writable }: ServedBlocks,
): Promise<void> {
  await control.greeted()
  await control.call('qmp_capabilities', {})
  if (secret !== null)
    await control.call('object-add', { 'qom-type': 'secret', id: 'key', format: 'raw', data: secret })
  for (const node of nodes) await control.call('blockdev-add', node)
  if (secret !== null) await control.call('object-del', { id: 'key' })
  await control.call('block-export-add', {
    ...{ type: 'fuse', id: 'volume', 'node-name': 'volume', mountpoint: openFile },
    ...{ writable, growable: false, 'allow-other': 'off' },
    // A write is on the disk when it is acknowledged: the guest outlives this daemon, and what of the map is only in its
    // memory when it is killed would be lost under a file system that holds it for written.
    writethrough: true,
  })
}

/** One command after another, as QEMU's machine protocol has it. */
class Control {
  private readonly socket: Socket
  private text = ''
  private waiting: ((answer: Answer | null) => void) | null = null
  private readonly early: Answer[] = []
  private ended = false

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.take(chunk.toString('utf8')))
    socket.on('error', () => this.end())
    socket.on('close', () => this.end())
  }

  async greeted(): Promise<void> {
    if (!(await this.next()).QMP) throw notServed('it does not greet')
  }

  async call(execute: string, args: object): Promise<void> {
    this.socket.write(`${JSON.stringify({ execute, arguments: args })}\n`)
    const answer = await this.next()
    if (answer.error) throw notServed(`${execute}: ${answer.error.desc}`)
  }

  close(): void {
    this.socket.destroy()
  }

  private async next(): Promise<Answer> {
    const early = this.early.shift()
    if (early) return early
    if (this.ended) throw notServed('it hung up')
    const answer = await new Promise<Answer | null>((resolve) => {
      const timer = setTimeout(() => resolve(null), answerMs)
      this.waiting = (found) => {
        clearTimeout(timer)
        resolve(found)
      }
    })
    this.waiting = null
    if (answer) return answer
    throw notServed(this.ended ? 'it hung up' : 'it does not answer')
  }

  private take(text: string): void {
    this.text += text
    for (let end = this.text.indexOf('\n'); end >= 0; end = this.text.indexOf('\n')) {
      const answer = parsed(this.text.slice(0, end))
      this.text = this.text.slice(end + 1)
      if (answer === null) {
        this.socket.destroy()
        return
      }
      if (answer.event !== undefined) continue
      if (this.waiting) this.waiting(answer)
      else this.early.push(answer)
    }
  }

  private end(): void {
    this.ended = true
    this.waiting?.(null)
  }
}

function parsed(line: string): Answer | null {
  try {
    return JSON.parse(line) as Answer
  } catch {
    return null
  }
}

function notServed(why: string): MalleeError {
  return new MalleeError({
    code: 'VolumeNotServed',
    publicMessage: `The storage daemon does not serve the volume: ${why.slice(0, 200)}.`,
    retryable: true,
  })
}
