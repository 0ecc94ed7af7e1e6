import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { assert } from '@mallee/base'
import { until, type Guest } from '@mallee/testkit'
import {
  adminPost,
  gone,
  inNode,
  launch,
  pidOf,
  qemuOf,
  reachable,
  sshGroup,
  type StoryChapters,
  type Json,
  type Story,
} from './launches.ts'

/** Another node of the cloud, joined by its own token, whose guests are simulated. */
async function startSimulatedNode(story: Story, name: string) {
  const { host } = story
  const dir = `${host.stateDir}/${name}`
  const token = await adminPost<{ token: string }>(`${host.stateDir}/run/admin.sock`, '/admin/v1/tokens', {
    kind: 'node',
    availabilityZone: 'us-east-1a',
  })
  execFileSync('mkdir', ['-p', dir])
  writeFileSync(`${dir}/token`, token.token, { mode: 0o600 })
  const config = {
    dir: `${dir}/agent`,
    cloudUrl: `https://127.0.0.1:${host.portBase + 1}`,
    walrusUrl: `https://127.0.0.1:${host.portBase + 2}`,
    joinTokenFile: `${dir}/token`,
    name,
    instancesDir: `${dir}/instances`,
    imagesDir: `${dir}/images`,
    customDir: `${dir}/etc`,
    hypervisor: { driver: 'simulated' },
    network: { driver: 'simulated' },
  }
  writeFileSync(`${dir}/config.json`, JSON.stringify(config))
  return host.start(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    `${host.root}/apps/node-controller/src/main.ts`,
    `${dir}/config.json`,
  ])
}

let three: Guest[] = []

/** In their order; each builds on what the ones before left. */
export const opening: StoryChapters = {
  async 'three guests run their owner’s script once, each with its own name and address'(story) {
    const script = `${story.host.stateDir}/script.sh`
    writeFileSync(script, '#!/bin/sh\necho ran >> /var/lib/mallee/runs\necho "hello from $(hostname)"\n')
    const ids = await launch(story, '--count', '3', '--user-data', `file://${script}`)
    assert(ids.length === 3, `${ids.length} instances`)
    three = await reachable(story, ids)
    assert(new Set(three.map((guest) => guest.privateIp)).size === 3, 'addresses are not distinct')
    for (const guest of three) {
      const hostname = await story.client.inGuest(guest.publicIp, 'hostname')
      assert(
        hostname === `ip-${guest.privateIp.replaceAll('.', '-')}.ec2.internal`,
        `${guest.id} calls itself ${hostname}`,
      )
      const runs = await story.client.inGuest(guest.publicIp, 'cat /var/lib/mallee/runs')
      assert(runs === 'ran', `the script ran: ${runs}`)
      const id = await story.client.inGuest(
        guest.publicIp,
        '. /etc/mallee/metadata.sh; get_token; metadata meta-data/instance-id',
      )
      assert(id === guest.id, `${guest.id} reads ${id}`)
      const output = await story.client.aws(
        'ec2',
        'get-console-output',
        '--instance-id',
        guest.id,
        '--latest',
      )
      assert(
        (output.Output as string).includes(`hello from ${hostname}`),
        'the console does not show the script',
      )
    }
  },

  async 'metadata without a token is refused'(story) {
    const said = await story.client.inGuest(
      three[0]!.publicIp,
      'wget -q -O - http://169.254.169.254/latest/meta-data/instance-id 2>&1 || true',
    )
    assert(!said.includes(three[0]!.id), `version 1 answered ${said}`)
  },

  async 'security groups deny, allow and cut'(story) {
    const [first, second] = three as [Guest, Guest, Guest]
    const group = await sshGroup(story.client)
    const probe = () =>
      story.client.inGuest(first.publicIp, `nc -w 2 ${second.privateIp} 22 </dev/null | head -c 3; true`)
    assert((await probe()) === 'SSH', 'ssh between members is not let in')
    await story.client.aws(
      'ec2',
      'revoke-security-group-ingress',
      '--group-id',
      group,
      '--protocol',
      'tcp',
      '--port',
      '22',
      '--cidr',
      '0.0.0.0/0',
    )
    await until(
      'ssh is denied',
      20,
      async () => (await story.client.ssh(first.publicIp, 'true', 8000)).code !== 0,
    )
    await story.client.aws(
      'ec2',
      'authorize-security-group-ingress',
      '--group-id',
      group,
      '--protocol',
      'tcp',
      '--port',
      '22',
      '--cidr',
      '0.0.0.0/0',
    )
    await until(
      'ssh is let in again',
      20,
      async () => (await story.client.ssh(first.publicIp, 'true', 8000)).code === 0,
    )
  },

  async 'a reboot boots the same guest'(story) {
    const guest = three[0]!
    await story.client.inGuest(guest.publicIp, 'touch /root/before && sync')
    const boot = await story.client.inGuest(guest.publicIp, 'cat /proc/sys/kernel/random/boot_id')
    await story.client.aws('ec2', 'reboot-instances', '--instance-ids', guest.id)
    await until('it has booted anew', 90, async () => {
      const outcome = await story.client.ssh(
        guest.publicIp,
        'cat /proc/sys/kernel/random/boot_id && ls /root/before',
        8000,
      )
      return outcome.code === 0 && !outcome.stdout.includes(boot) && outcome.stdout.includes('/root/before')
    })
    assert((await story.client.guests(guest.id))[0]!.state === 'running', 'it is not running')
  },

  async 'a killed QEMU comes back on its own disk'(story) {
    const guest = three[1]!
    await story.client.inGuest(guest.publicIp, 'echo kept > /root/kept && sync')
    const before = qemuOf(guest.id)
    assert(before > 0, 'its QEMU was not found')
    process.kill(before, 'SIGKILL')
    await until('a new incarnation lets its owner in', 90, async () => {
      const now = qemuOf(guest.id)
      return (
        now !== 0 &&
        now !== before &&
        (await story.client.ssh(guest.publicIp, 'cat /root/kept', 8000)).stdout.trim() === 'kept'
      )
    })
    assert(
      (await story.client.inGuest(guest.publicIp, 'cat /var/lib/mallee/runs')) === 'ran',
      'the script ran again',
    )
    await until(
      'it is running',
      15,
      async () => (await story.client.guests(guest.id))[0]!.state === 'running',
    )
  },

  async 'daemons that die cost no guest'(story) {
    const before = three.map((guest) => qemuOf(guest.id))
    const together = existsSync(`${story.host.stateDir}/run/mallee.pid`)
    const ours = together ? ['mallee'] : ['cloud-controller', 'node-controller', 'walrus']
    for (const daemon of ['supervisor', 'libvirtd', ...ours]) {
      const pid = pidOf(story.host.stateDir, daemon)
      process.kill(pid, 'SIGKILL')
      await until(`${daemon} is back`, 30, async () => pidOf(story.host.stateDir, daemon) !== pid)
      await until(`the state is right after ${daemon} died`, 30, async () => {
        const status = JSON.parse(await story.host.mallee('status', '--json')) as { ready: boolean }
        const guests = await story.client.guests(...three.map((guest) => guest.id))
        return status.ready && guests.every((guest) => guest.state === 'running')
      })
    }
    assert(before.join() === three.map((guest) => qemuOf(guest.id)).join(), 'a guest was touched')
    for (const guest of three) await story.client.inGuest(guest.publicIp, 'true')
  },
}

/** What follows once the admin's customisations have been told. */
export const closing: StoryChapters = {
  async 'launches are shared with two simulated nodes, and explain tells why'(story) {
    const nodes = [await startSimulatedNode(story, 'sim-a'), await startSimulatedNode(story, 'sim-b')]
    try {
      await until('three nodes are here', 30, async () => {
        const status = JSON.parse(await story.host.mallee('status', '--json')) as { agents: Json[] }
        return (
          status.agents.filter((agent) => agent.kind === 'node' && agent.fingerprint?.healthy).length === 3
        )
      })
      const ids = await launch(story, '--count', '3')
      await until('all run', 30, async () =>
        (await story.client.guests(...ids)).every((guest) => guest.state === 'running'),
      )
      const taken = new Set<string>()
      for (const id of ids) {
        const told = JSON.parse(await story.host.mallee('explain', id, '--json')) as {
          record: Json
          now: Json[]
        }
        taken.add(told.record.taken as string)
        assert(
          told.record.policy === 'round-robin' && told.record.considered === 3,
          JSON.stringify(told.record),
        )
        assert(told.now.length === 3, 'explain does not judge every node')
      }
      assert(taken.size === 3, `only ${taken.size} of 3 nodes were taken`)
      await gone(story, ids)
    } finally {
      for (const node of nodes) node.kill('SIGTERM')
    }
  },

  async 'walrus keeps bytes, and what is no disk is no image'(story) {
    const file = `${story.host.stateDir}/random.bin`
    execFileSync('dd', ['if=/dev/urandom', `of=${file}`, 'bs=1M', 'count=20', 'status=none'])
    await story.client.aws('s3', 'mb', 's3://first-light')
    await story.client.aws('s3', 'cp', '--quiet', file, 's3://first-light/random.bin')
    await story.client.aws('s3', 'cp', '--quiet', 's3://first-light/random.bin', `${file}.back`)
    assert(readFileSync(file).equals(readFileSync(`${file}.back`)), 'the bytes differ')
    const image = await story.client.aws(
      'ec2',
      'register-image',
      '--name',
      'no disk',
      '--image-location',
      'first-light/random.bin',
    )
    await until('it failed', 20, async () => {
      const answer = await story.client.aws('ec2', 'describe-images', '--image-ids', image.ImageId)
      return answer.Images[0].State === 'failed'
    })
    assert(
      (await story.client.refusal('ec2', 'run-instances', '--image-id', image.ImageId)) ===
        'InvalidAMIID.Unavailable',
      'it can be launched',
    )
  },

  async 'terminated guests leave nothing on the node'(story) {
    await gone(
      story,
      three.map((guest) => guest.id),
    )
    for (const guest of three) assert(qemuOf(guest.id) === 0, `${guest.id} still runs`)
    const domains = await inNode(story, 'virsh', 'list', '--all', '--name')
    assert(domains.trim().split('\n').filter(Boolean).length === 1, `domains: ${domains}`)
    const links = await inNode(story, 'ip', '-br', 'link')
    assert(links.split('\n').filter((line) => line.startsWith('vn')).length === 1, `taps: ${links}`)
    const rules = await inNode(story, 'nft', 'list', 'ruleset')
    for (const guest of three) {
      assert(
        !rules.includes(guest.privateIp) && !rules.includes(guest.publicIp),
        `${guest.privateIp} is still in the rules`,
      )
    }
    const disks = execFileSync('find', [`${story.host.stateDir}/node/instances`, '-name', 'root.*'], {
      encoding: 'utf8',
    })
    assert(disks.trim().split('\n').length === 1, `disks: ${disks}`)
  },
}
