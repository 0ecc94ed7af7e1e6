import { readFileSync, rmSync } from 'node:fs'
import { assert } from '@mallee/base'
import { until, type Guest } from '@mallee/testkit'
import { filesOf, kill, lives, LogTail, processOf, whileStill } from './kill-moments.ts'
import { qemuOf, reachable, type Story } from './launches.ts'
import { Stamps, type Acknowledged } from './stamps.ts'
import { seen, volume } from './volume-chapters.ts'

const settleSeconds = 120
const zone = 'us-east-1a'

/** One guest and its volume through twelve deaths. Every point leaves what the next one begins with. */
export class KillPoints {
  private readonly story: Story
  private readonly stamps: Stamps
  private guest: Guest
  private id = ''
  private device = ''
  /** Of the snapshot whose upload was broken off: what it has to hold, and what it cannot hold. */
  private snapshot: { id: string; least: Acknowledged; most: Acknowledged } | null = null
  private readonly snapshots: string[] = []
  private restored = ''

  constructor(story: Story, guest: Guest) {
    this.story = story
    this.guest = guest
    this.stamps = new Stamps(story)
  }

  readonly points: Readonly<Record<string, () => Promise<void>>> = {
    'the storage controller when it has made a volume': async () => {
      const log = new LogTail(this.story, 'storage-controller')
      this.id = await this.create('--size', '1')
      await log.says('volume made', this.id)
      await kill(this.story, 'storage-controller')
      await this.isFree(this.id)
    },

    'the storage controller while a volume is attached: it has a target, and its node does not know':
      async () => {
        await this.attachUntilTarget(() => kill(this.story, 'storage-controller'))
        await this.writes()
      },

    'the target daemon while a guest writes': async () => {
      await this.stamps.write(this.guest, this.device)
      await kill(this.story, 'target daemon')
      await this.stamps.more(10)
      await this.stamps.stop(this.guest)
      await this.stamps.check(this.guest, this.device)
    },

    'the storage controller while a snapshot goes to walrus': async () => {
      const random = `dd if=/dev/urandom of=${this.device} bs=1M seek=1 count=24 conv=fsync,notrunc 2>/dev/null`
      await this.story.client.inGuest(this.guest.publicIp, random)
      await this.stamps.write(this.guest, this.device)
      const log = new LogTail(this.story, 'storage-controller')
      const least = this.stamps.now()
      const snapshotId = await whileStill(this.story, 'walrus', async () => {
        const made = await this.snapshotNow()
        await log.says('snapshot taken', made)
        await kill(this.story, 'storage-controller')
        assert((await this.snapshotState(made)) === 'pending', 'the snapshot was there already')
        return made
      })
      this.snapshot = { id: snapshotId, least, most: this.stamps.now() }
      await this.isComplete(snapshotId)
      await this.stamps.more(3)
      await this.stamps.stop(this.guest)
      await this.stamps.check(this.guest, this.device)
    },

    'the QEMU of a guest while it writes and a snapshot is taken': async () => {
      await this.stamps.write(this.guest, this.device)
      const log = new LogTail(this.story, 'storage-controller')
      const snapshotId = await this.snapshotNow()
      await log.says('snapshot taken', snapshotId)
      await this.killGuest(qemuOf(this.guest.id))
      this.stamps.lost()
      await this.isComplete(snapshotId)
      await this.isBack()
      this.device = await seen(this.story, this.id, this.guest, settleSeconds)
      await this.stamps.check(this.guest, this.device)
      await this.writes()
    },

    'the node controller when it has asked a guest that writes to give a volume back': async () => {
      await this.stamps.write(this.guest, this.device)
      const log = new LogTail(this.story, 'node-controller')
      await this.detach()
      await log.says('is asked to give a volume back')
      await kill(this.story, 'node-controller')
      await this.isFree(this.id)
      this.stamps.lost()
    },

    'the node controller while it plugs a volume in, the login of QEMU not answered': async () => {
      await this.attachUntilTarget(async () => {
        await whileStill(this.story, 'storage-controller', () =>
          whileStill(this.story, 'target daemon', async () => {
            process.kill(processOf(this.story, 'node-controller'), 'SIGCONT')
            await this.someoneKnocks()
            await kill(this.story, 'node-controller')
          }),
        )
      })
      await this.stamps.check(this.guest, this.device)
      await this.writes()
    },

    'the storage controller when it has removed the target of a volume that is detached': async () => {
      const log = new LogTail(this.story, 'storage-controller')
      await this.detach()
      await log.says('target removed')
      await kill(this.story, 'storage-controller')
      await this.isFree(this.id)
    },

    'the target daemon while a volume is attached: its node is about to reach it': async () => {
      await this.attachUntilTarget(() => kill(this.story, 'target daemon'))
      await this.stamps.check(this.guest, this.device)
      await this.writes()
    },

    'the QEMU of a guest that is to give a volume back and does not answer': async () => {
      await this.stamps.write(this.guest, this.device)
      const qemu = qemuOf(this.guest.id)
      process.kill(qemu, 'SIGSTOP')
      await this.detach()
      assert((await volume(this.story.client, this.id)).State === 'in-use', 'it is free, and QEMU has it')
      await this.killGuest(qemu)
      this.stamps.lost()
      await this.isFree(this.id)
      await this.isBack()
    },

    'the storage controller while a volume comes out of walrus': async () => {
      const { id, least, most } = this.snapshot!
      // As where room is short: what is here still would be cloned, and nothing come out of walrus.
      rmSync(`${filesOf(this.story)}/snapshots/${id}.raw`)
      const log = new LogTail(this.story, 'storage-controller')
      this.restored = await this.create('--snapshot-id', id)
      await log.says('volume made', this.restored)
      const after = new LogTail(this.story, 'storage-controller')
      await kill(this.story, 'storage-controller')
      await after.says('all of a restored volume is here', this.restored)
      await this.isFree(this.restored)
      await this.attach(this.restored)
      await this.stamps.check(this.guest, await seen(this.story, this.restored, this.guest), least, most)
      await this.detach(this.restored)
      await this.isFree(this.restored)
      // And nothing has written to the first one since.
      await this.attach(this.id)
      await this.stamps.check(this.guest, await seen(this.story, this.id, this.guest))
      await this.detach()
      await this.isFree(this.id)
    },

    'the storage controller when it has removed the file of a volume that is deleted': async () => {
      const log = new LogTail(this.story, 'storage-controller')
      await this.story.client.aws('ec2', 'delete-volume', '--volume-id', this.id)
      await log.says('volume removed', this.id)
      await kill(this.story, 'storage-controller')
      const mine = async () => {
        const all = (await this.story.client.aws('ec2', 'describe-volumes')).Volumes as { VolumeId: string }[]
        return all.every((one) => one.VolumeId !== this.id)
      }
      await until('the volume is gone', settleSeconds, mine)
    },
  }

  /** What the points leave for their story to remove. */
  async removeRest(): Promise<void> {
    const { client } = this.story
    const { Volumes: mine } = await client.aws('ec2', 'describe-volumes')
    for (const { VolumeId: id } of mine as { VolumeId: string }[]) {
      await this.isFree(id)
      await client.aws('ec2', 'delete-volume', '--volume-id', id)
    }
    for (const id of this.snapshots) await client.aws('ec2', 'delete-snapshot', '--snapshot-id', id)
    await until('nothing is left', settleSeconds, async () => {
      const { Volumes: volumes } = await client.aws('ec2', 'describe-volumes')
      const { Snapshots: left } = await client.aws('ec2', 'describe-snapshots', '--owner-ids', 'self')
      return volumes.length === 0 && left.length === 0
    })
  }

  private async create(...of: string[]): Promise<string> {
    const made = await this.story.client.aws('ec2', 'create-volume', '--availability-zone', zone, ...of)
    return made.VolumeId as string
  }

  private async attach(volumeId: string): Promise<void> {
    const to = ['--instance-id', this.guest.id, '--device', '/dev/sdf']
    await this.story.client.aws('ec2', 'attach-volume', '--volume-id', volumeId, ...to)
  }

  /** Its node stands still until the volume has a target and `then` was done. */
  private async attachUntilTarget(then: () => Promise<void>): Promise<void> {
    const log = new LogTail(this.story, 'storage-controller')
    await whileStill(this.story, 'node-controller', async () => {
      await this.attach(this.id)
      await log.says('target made')
      await then()
    })
    this.device = await seen(this.story, this.id, this.guest, settleSeconds)
  }

  private async detach(volumeId = this.id): Promise<void> {
    await this.story.client.aws('ec2', 'detach-volume', '--volume-id', volumeId)
  }

  private async snapshotNow(): Promise<string> {
    const made = await this.story.client.aws('ec2', 'create-snapshot', '--volume-id', this.id)
    this.snapshots.push(made.SnapshotId as string)
    return made.SnapshotId as string
  }

  private async snapshotState(id: string): Promise<string> {
    const found = await this.story.client.aws('ec2', 'describe-snapshots', '--snapshot-ids', id)
    return found.Snapshots[0].State as string
  }

  private async isComplete(id: string): Promise<void> {
    await until('the snapshot is complete', settleSeconds, async () => {
      const state = await this.snapshotState(id)
      assert(state !== 'error', 'the snapshot failed')
      return state === 'completed'
    })
  }

  private async isFree(id: string): Promise<void> {
    const free = async () => (await volume(this.story.client, id)).State === 'available'
    await until(`${id} is free`, settleSeconds, free)
  }

  private async writes(): Promise<void> {
    await this.stamps.write(this.guest, this.device)
    await this.stamps.more(5)
    await this.stamps.stop(this.guest)
    await this.stamps.check(this.guest, this.device)
  }

  private async killGuest(qemu: number): Promise<void> {
    assert(qemu > 0, 'the guest has no QEMU')
    process.kill(qemu, 'SIGKILL')
    await until('the end of QEMU', 10, () => Promise.resolve(!lives(qemu)))
  }

  /** On its own disk, in another QEMU. */
  private async isBack(): Promise<void> {
    await until('another QEMU', settleSeconds, () => Promise.resolve(qemuOf(this.guest.id) > 0))
    this.guest = (await reachable(this.story, [this.guest.id]))[0]!
    const said = await this.story.client.inGuest(this.guest.publicIp, 'cat /root/mine')
    assert(said === this.guest.id, `the guest came back on another disk: ${said}`)
  }

  /** A connection that the target daemon, which stands still, has not accepted yet. */
  private async someoneKnocks(): Promise<void> {
    const pid = processOf(this.story, 'target daemon')
    const port = /portal=[^:]*:(\d+)/.exec(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))![1]!
    await until('QEMU knocks', 30, async () => {
      const args = ['-t', String(pid), '-n', 'ss', '-Htnl', 'sport', '=', `:${port}`]
      const [waiting] = (await this.story.host.must('nsenter', args)).trim().split(/\s+/).slice(1)
      return Number(waiting) > 0
    })
  }
}
