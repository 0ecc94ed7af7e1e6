import { existsSync } from 'node:fs'
import { assert } from '@mallee/base'
import { Chapters, CloudClient, TestHost, TestMachine, until, type Guest } from '@mallee/testkit'
import { gone, launch, reachable, sshGroup, type Json, type Story } from './launches.ts'
import { attach, bootableImage, detach, newVolume } from './volume-chapters.ts'

/**
 * A cloud of two machines: the second joins by one line, with its own libvirtd and its own network, as a production node
 * does. Guests run on both; the second is stopped, drained, lost and given up while the first goes on.
 */
const host = new TestHost()
const machine = new TestMachine(host)
const told = new Chapters()
let story: Story
let here: Guest
let there: Guest

const agents = async () =>
  (JSON.parse(await host.mallee('agent', 'list', '--json')) as Json[]).filter(
    (agent) => agent.kind === 'node',
  )
const second = async () => (await agents()).find((agent) => agent.name === 'second')

async function nodeOf(instanceId: string): Promise<string> {
  const answer = JSON.parse(await host.mallee('explain', instanceId, '--json')) as {
    record: { taken: string }
  }
  const node = (await agents()).find((agent) => agent.id === answer.record.taken)
  return node?.name ?? answer.record.taken
}

async function joinSecond(): Promise<void> {
  const args = ['agent', 'token', '--kind', 'node', '--zone', 'us-east-1a', '--address', machine.hostAddress]
  const line = (await host.mallee(...args)).trim().split(' ')
  await machine.mallee(...line.slice(1), '--name', 'second')
  await until('the second node is here and well', 60, async () => {
    const agent = await second()
    return agent?.fingerprint?.healthy === true && agent.silentSinceMs === null
  })
}

async function systemStatus(id: string): Promise<string> {
  const answer = await story.client.aws('ec2', 'describe-instance-status', '--instance-ids', id)
  return answer.InstanceStatuses[0]?.SystemStatus.Status as string
}

const chapters: Readonly<Record<string, () => Promise<void>>> = {
  async 'a second machine joins by one line and shares the launches'() {
    await joinSecond()
    const guests = await reachable(story, await launch(story, '--count', '2'))
    const names = await Promise.all(guests.map((guest) => nodeOf(guest.id)))
    assert(names.toSorted().join() === 'node,second', `they are on ${names.join(' and ')}`)
    here = guests[names.indexOf('node')]!
    there = guests[names.indexOf('second')]!
    const listed = await machine.must('virsh', ['list', '--name'])
    assert(listed.trim() === there.id, `the second machine's own libvirtd shows: ${listed}`)
    assert((await story.client.inGuest(there.publicIp, 'hostname')).startsWith('ip-172-31-'), 'no name')
  },

  async 'guests of one subnet on two machines are neighbours, by private address and by name'() {
    const greets = async (from: Guest, address: string) =>
      (
        await story.client.ssh(from.publicIp, `timeout 4 nc ${address} 22 </dev/null | head -c 3`)
      ).stdout.trim() === 'SSH'
    await until('here reaches there', 60, () => greets(here, there.privateIp))
    await until('there reaches here', 60, () => greets(there, here.privateIp))
    const name = `ip-${there.privateIp.replaceAll('.', '-')}.ec2.internal`
    const said = await story.client.inGuest(here.publicIp, `nslookup ${name} 172.31.0.2`)
    assert(said.includes(there.privateIp), `here ${name} is ${said}`)
    // More than a frame, to and fro; nc does not end by itself when its input does.
    const noise = 'dd if=/dev/zero bs=1000 count=3000 2>/dev/null'
    const sent = `${noise} | timeout 6 nc ${there.privateIp} 9000; true`
    const peers = [
      '--ip-permissions',
      `IpProtocol=tcp,FromPort=9000,ToPort=9000,IpRanges=[{CidrIp=172.31.0.0/16}]`,
    ]
    const group = await sshGroup(story.client)
    await story.client.aws('ec2', 'authorize-security-group-ingress', '--group-id', group, ...peers)
    const counting = story.client.inGuest(there.publicIp, 'sleep 12 | timeout 12 nc -l -p 9000 | wc -c')
    await story.client.inGuest(here.publicIp, `sleep 2; ${sent}`)
    const came = Number(await counting)
    assert(came === 3_000_000, `${came} of 3,000,000 bytes came through the tunnel`)
    await story.client.aws('ec2', 'revoke-security-group-ingress', '--group-id', group, ...peers)
  },

  async 'a volume goes from a guest here to a guest there, and so does an instance that boots from one'() {
    const id = await newVolume(story, '--size', '1')
    const text = 'dd bs=512 count=1 2>/dev/null'
    const first = await attach(story, id, here)
    await story.client.inGuest(here.publicIp, `echo carried | ${text} of=${first} conv=sync; sync`)
    await detach(story, id)
    const second = await attach(story, id, there)
    const read = await story.client.inGuest(there.publicIp, `${text} if=${second} | head -1`)
    assert(read === 'carried', `the guest there reads ${read}`)
    await detach(story, id)
    await story.client.aws('ec2', 'delete-volume', '--volume-id', id)

    const imageId = await bootableImage(story)
    const [bootedId] = (await launch(story, '--image-id', imageId)) as [string]
    const [guest] = await reachable(story, [bootedId])
    await story.client.inGuest(guest!.publicIp, 'echo carried > /root/file; sync')
    const runsHere = async () =>
      (await machine.must('virsh', ['list', '--name'])).includes(bootedId) ? 'second' : 'node'
    const before = await runsHere()
    await until('it runs on the other machine', 120, async () => {
      await story.client.aws('ec2', 'stop-instances', '--instance-ids', bootedId)
      await until(
        'it is stopped',
        60,
        async () => (await story.client.guests(bootedId))[0]!.state === 'stopped',
      )
      await story.client.aws('ec2', 'start-instances', '--instance-ids', bootedId)
      await until('it runs', 60, async () => (await story.client.guests(bootedId))[0]!.state === 'running')
      return (await runsHere()) !== before
    })
    const [moved] = await reachable(story, [bootedId])
    const kept = await story.client.inGuest(moved!.publicIp, 'cat /root/file')
    assert(kept === 'carried', `on the other machine it reads ${kept}`)
    await gone(story, [bootedId])
  },

  async 'guest reboots while its node controller restarts: it never leaves running'() {
    const rounds = Number(process.env['MALLEE_REBOOTS'] ?? 2)
    const states = new Set<string>()
    for (let round = 0; round < rounds; round += 1) {
      const boot = await story.client.inGuest(there.publicIp, 'cat /proc/sys/kernel/random/boot_id')
      await story.client.ssh(there.publicIp, 'reboot -f', 4000)
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 3000))
      await machine.run('sh', [
        '-c',
        `kill -9 $(sed 's/.*"pid":\\([0-9]*\\).*/\\1/' ${machine.stateDir}/run/node-controller.pid)`,
      ])
      await until(`it has booted anew (${round + 1})`, 120, async () => {
        states.add((await story.client.guests(there.id))[0]!.state)
        const said = await story.client.ssh(there.publicIp, 'cat /proc/sys/kernel/random/boot_id', 4000)
        return said.code === 0 && said.stdout.trim() !== boot
      })
    }
    assert([...states].join() === 'running', `it was ${[...states].join(', ')}`)
  },

  async 'a stopped libvirtd makes its node degraded and nothing else slow'() {
    const pid = (await machine.must('pidof', ['libvirtd'])).trim()
    await machine.must('kill', ['-STOP', pid])
    try {
      await until('the second node says so', 60, async () => (await second())?.fingerprint?.healthy === false)
      await story.client.aws('ec2', 'describe-instances')
      const [id] = (await launch(story)) as [string]
      assert((await nodeOf(id)) === 'node', 'it was placed on the node that is not well')
      await until('it runs', 30, async () => (await story.client.guests(id))[0]!.state === 'running')
      assert(
        (await story.client.guests(there.id))[0]!.state === 'running',
        'the guest there is said to be gone',
      )
      await gone(story, [id])
    } finally {
      await machine.must('kill', ['-CONT', pid])
    }
    await until(
      'the second node is well again',
      60,
      async () => (await second())?.fingerprint?.healthy === true,
    )
  },

  async 'drained, it gets no launches and says what it still runs'() {
    const said = await host.run(`${host.root}/mallee`, ['agent', 'drain', 'second', '--state', host.stateDir])
    assert(said.code === 3 && said.stdout.includes(there.id), `drain says ${said.code}: ${said.stdout}`)
    const [id] = (await launch(story)) as [string]
    assert((await nodeOf(id)) === 'node', 'the drained node got a launch')
    await gone(story, [id])
    await host.mallee('agent', 'enable', 'second')
  },

  async 'a machine without power is impaired, and given up only when fenced'() {
    await machine.powerOff()
    await until('its guest is impaired', 30, async () => (await systemStatus(there.id)) === 'impaired')
    assert((await story.client.guests(there.id))[0]!.state === 'running', 'silence ended a guest')
    const refused = await host.run(`${host.root}/mallee`, [
      'agent',
      'forget',
      'second',
      '--state',
      host.stateDir,
    ])
    assert(refused.code !== 0 && refused.stderr.includes('--fenced'), `forget says ${refused.stderr}`)
    await host.mallee('agent', 'forget', 'second', '--fenced')
    await until(
      'its guest is terminated',
      30,
      async () => (await story.client.guests(there.id))[0]!.state === 'terminated',
    )
    assert(
      (await story.client.guests(here.id))[0]!.state === 'running',
      'the guest on the first machine suffered',
    )
    await story.client.inGuest(here.publicIp, 'true')
  },

  async 'the machine comes back, learns that it was forgotten, and joins anew'() {
    await machine.powerOn()
    await machine.mallee('up', '--detach')
    await until('it knows', 60, async () => existsSync(`${machine.stateDir}/agent/forgotten`))
    await machine.mallee('destroy')
    await joinSecond()
    const guests = await reachable(story, await launch(story, '--count', '2'))
    const names = await Promise.all(guests.map((guest) => nodeOf(guest.id)))
    assert(names.includes('second'), 'the new node gets no launches')
    await gone(
      story,
      guests.map((guest) => guest.id),
    )
    await machine.mallee('destroy')
    const left = await machine.must('sh', [
      '-c',
      'ip -br link; ip netns; nft list ruleset; virsh list --all 2>/dev/null || true',
    ])
    assert(!/mallee|vn[0-9a-f]{6}|i-[0-9a-f]{17}/.test(left), `left on the machine: ${left}`)
  },
}

await host.open()
try {
  await machine.open()
  const up = await told.tell('the first machine is up', async () => {
    await host.mallee('up', '--detach', '--port-base', String(host.portBase))
    story = { host, client: await CloudClient.connect(host) }
  })
  if (up) for (const [name, work] of Object.entries(chapters)) if (!(await told.tell(name, work))) break
  if (told.failed > 0) {
    const logs = `tail -n 25 ${host.stateDir}/log/*.log ${machine.stateDir}/log/*.log`
    process.stdout.write((await host.run('sh', ['-c', logs])).stdout)
  }
} finally {
  await machine.close()
  await host.close()
}
process.exit(told.end('machines'))
