import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import path from 'node:path'

export interface Access {
  readonly port: number
  readonly iqn: string
  readonly initiatorIqn: string
  readonly chapUser: string
  readonly chapSecret: string
  /** For the password's file. */
  readonly dir: string
}

/** QEMU's own initiator by qemu-io, as guests have it; the password in a file and on no command line. */
export async function qemuIo(
  access: Access,
  commands: readonly string[],
): Promise<{ ok: boolean; said: string }> {
  const words = await wordsFor(access)
  const args = [...words, ...commands.flatMap((command) => ['-c', command])]
  return new Promise((resolve) => {
    execFile('qemu-io', args, { timeout: 30_000 }, (error, stdout, stderr) =>
      resolve({ ok: error === null && !/failed|error/i.test(stdout + stderr), said: stdout + stderr }),
    )
  })
}

/** One that stays logged in and is told what to do. */
export class OpenDisk {
  private readonly child: ChildProcess
  said = ''

  private constructor(child: ChildProcess) {
    this.child = child
    for (const stream of [child.stdout!, child.stderr!])
      stream.on('data', (chunk: Buffer) => (this.said += chunk.toString('utf8')))
    child.stdin!.on('error', () => {}) // it has ended, which the next word to it finds
  }

  /** By default every write is flushed; with `isWriteBack` only what is told to be, as a guest does. */
  static async open(access: Access, { isWriteBack = false } = {}): Promise<OpenDisk> {
    const words = [...(isWriteBack ? ['-t', 'writeback'] : []), ...(await wordsFor(access))]
    return new OpenDisk(spawn('qemu-io', words, { stdio: ['pipe', 'pipe', 'pipe'] }))
  }

  /** Resolves with what was said to the command; the disk may stall meanwhile. */
  async tell(command: string): Promise<string> {
    const from = this.said.length
    this.child.stdin!.write(`${command}\n`)
    for (;;) {
      const answer = this.said.slice(from)
      if (/wrote|read |MiB\n|GiB\n|failed|error/i.test(answer.replace(/qemu-io> /g, ''))) return answer
      if (this.hasEnded()) return answer
      await new Promise((resolve) => setTimeout(resolve, 20))
      // It notices a line that came together with the one before only when more comes; an empty one says nothing.
      this.child.stdin!.write('\n')
    }
  }

  private hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  async close(): Promise<void> {
    if (this.hasEnded()) return
    const ended = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await ended
  }
}

async function wordsFor(access: Access): Promise<string[]> {
  const file = path.join(access.dir, `secret-${access.chapUser}`)
  await rm(file, { force: true })
  await writeFile(file, access.chapSecret, { mode: 0o600 })
  const disk = [
    'driver=raw',
    'file.driver=iscsi',
    'file.transport=tcp',
    `file.portal=127.0.0.1:${access.port}`,
    `file.target=${access.iqn}`,
    'file.lun=1',
    `file.user=${access.chapUser}`,
    'file.password-secret=chap',
    `file.initiator-name=${access.initiatorIqn}`,
  ]
  return ['--object', `secret,id=chap,file=${file}`, '--image-opts', disk.join(',')]
}
