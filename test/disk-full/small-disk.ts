import { execFile } from 'node:child_process'
import { mkdir, statfs, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
const page = 4096
const gibibyte = 1024 ** 3

/**
 * A folder with a filesystem of its own, in memory, whose size is what the test says at this moment. With room it is
 * large, because walrus and nodes judge themselves by it; that costs no memory but for what is written.
 */
export class SmallDisk {
  readonly dir: string

  private constructor(dir: string) {
    this.dir = dir
  }

  static async mount(dir: string): Promise<SmallDisk> {
    await mkdir(dir, { recursive: true })
    await run('mount', ['-t', 'tmpfs', '-o', 'size=64g,mode=0755', 'tmpfs', dir])
    return new SmallDisk(dir)
  }

  /** Leaves no more than so many bytes, and none by default; whoever writes meanwhile is outrun. */
  async fill(leaving = 0): Promise<void> {
    for (;;) {
      const { blocks, bfree, bsize } = await statfs(this.dir)
      const size = Math.max((blocks - bfree) * bsize + leaving, page)
      // Refused where more has come to be used meanwhile.
      if (await this.resize(size).catch(() => false)) return
    }
  }

  async room(): Promise<void> {
    await this.resize(64 * gibibyte)
  }

  async free(): Promise<number> {
    const { bfree, bsize } = await statfs(this.dir)
    return bfree * bsize
  }

  /** Whether a byte more would not fit: that the test has taken the room away, and did not only think so. */
  async isFull(): Promise<boolean> {
    return writeFile(`${this.dir}/.probe`, 'x').then(
      () => false,
      (error: NodeJS.ErrnoException) => error.code === 'ENOSPC',
    )
  }

  async unmount(): Promise<void> {
    await run('umount', ['-l', this.dir])
  }

  private async resize(bytes: number): Promise<true> {
    await run('mount', ['-o', `remount,size=${bytes}`, this.dir])
    return true
  }
}
