import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { CloudClient, TestHost, until } from '@mallee/testkit'
import { callDoor, textOf } from './door-client.ts'
import { figureLine, figures } from './figures.ts'

const rounds = 12

/**
 * RunInstances to the QEMU process alive, with the image in the node's cache, against what no launch can do without:
 * making the overlay and starting a bare QEMU. In turn, so that both see the same machine. The aim is a ratio of 2.
 */
export async function runInstancesBench(): Promise<void> {
  const host = new TestHost()
  await host.open()
  try {
    await host.mallee('up', '--detach', '--port-base', String(host.portBase))
    const client = await CloudClient.connect(host)
    const image = (
      await client.aws(
        'ec2',
        'describe-images',
        '--owners',
        'self',
        '--filters',
        'Name=name,Values=mallee-starter',
      )
    ).Images[0].ImageId as string
    const launches: number[] = []
    const bare: number[] = []
    for (let round = 0; round < rounds; round += 1) {
      bare.push(bareStart(host, round))
      launches.push(await launchOnce(host, client, image))
    }
    const ours = figures(launches.slice(1)) // the first warms both
    const floor = figures(bare.slice(1))
    process.stdout.write(`${figureLine('RunInstances sent to QEMU alive', 'ms', ours)}\n`)
    process.stdout.write(`${figureLine('overlay created and bare QEMU started', 'ms', floor)}\n`)
    process.stdout.write(`ratio of medians: ${(ours.median / floor.median).toFixed(2)}\n`)
  } finally {
    await host.close()
  }
}

function bareStart(host: TestHost, round: number): number {
  const image = readdirSync(`${host.stateDir}/node/images`).find((name) => name.endsWith('.raw'))!
  const overlay = `${host.stateDir}/bare-${round}.qcow2`
  const pidFile = `${host.stateDir}/bare-${round}.pid`
  const startedMs = performance.now()
  execFileSync('qemu-img', [
    'create',
    '-q',
    '-f',
    'qcow2',
    '-b',
    `${host.stateDir}/node/images/${image}`,
    '-F',
    'raw',
    overlay,
  ])
  const disk = `file=${overlay},format=qcow2,if=virtio,cache=none`
  execFileSync('qemu-system-x86_64', [
    '-accel',
    'tcg',
    '-m',
    '256',
    '-display',
    'none',
    '-S',
    '-daemonize',
    '-pidfile',
    pidFile,
    '-drive',
    disk,
  ])
  const tookMs = performance.now() - startedMs
  process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL')
  rmSync(overlay)
  return tookMs
}

async function launchOnce(host: TestHost, client: CloudClient, image: string): Promise<number> {
  const startedMs = performance.now()
  const answer = await callDoor(host, 'RunInstances', { ImageId: image, MinCount: 1, MaxCount: 1 })
  const id = textOf(answer, 'instanceId')!
  while (!qemuLives(id)) {
    if (performance.now() - startedMs > 60_000) throw new Error(`${id} did not start`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  const tookMs = performance.now() - startedMs
  await client.aws('ec2', 'terminate-instances', '--instance-ids', id)
  await until('it is terminated', 60, async () => (await client.guests(id))[0]!.state === 'terminated')
  return tookMs
}

function qemuLives(instanceId: string): boolean {
  return readdirSync('/proc').some((name) => {
    if (!/^\d+$/.test(name)) return false
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(`guest=${instanceId},`)
    } catch {
      return false
    }
  })
}
