import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { assert } from '@mallee/base'
import { Chapters, until } from '@mallee/testkit'
import { readComposeFile } from './compose-file.ts'
import { NamespaceServices } from './namespace-services.ts'

/**
 * docker-compose.yml as it stands: every service's own command, environment, volumes and ports, over TCP with the cloud's
 * certificates. Without a container engine the services run in namespaces; with one, `npm run long compose` does it there.
 */
const root = path.resolve(import.meta.dirname, '../..')
const dir = mkdtempSync('/tmp/mlc-')
const services = readComposeFile(root, path.join(dir, 'volumes'))
const cloud = new NamespaceServices({ dir, root, services })
const told = new Chapters()
const execute = promisify(execFile)

// oxlint-disable-next-line typescript/no-explicit-any -- answers of every action are read here
type Json = any

let env: Record<string, string> = {}

/** An aws command beside the services, over TLS by the front door's own name, trusting the cloud's authority only. */
async function aws(...args: string[]): Promise<Json> {
  const within = ['netns', 'exec', cloud.prefix, 'unshare', '--mount', 'sh', '-c']
  const script =
    'mount --bind "$1" /etc/hosts; shift; exec aws --endpoint-url https://front-door:8773 --output json "$@"'
  const { stdout } = await execute('ip', [...within, script, 'sh', path.join(dir, 'hosts'), ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env, AWS_PAGER: '', AWS_EC2_METADATA_DISABLED: 'true' },
  })
  return stdout.trim() === '' ? null : (JSON.parse(stdout) as Json)
}

const service = (name: string) => services.find((entry) => entry.name === name)!

const chapters: Readonly<Record<string, () => Promise<void>>> = {
  async 'every service starts by its own command'() {
    await cloud.open()
    for (const entry of services) await cloud.start(entry)
    assert(
      (await cloud.ended('tokens')) === 0,
      `tokens ended badly: ${readFileSync(cloud.logOf('tokens'), 'utf8')}`,
    )
    const credentials = await until('the cloud has its first key', 60, async () =>
      JSON.parse(await cloud.exec('cloud-controller', 'cat', '/var/lib/mallee/cloud/credentials.json')),
    )
    const authority = path.join(dir, 'authority.crt')
    writeFileSync(
      authority,
      await cloud.exec('cloud-controller', 'cat', '/var/lib/mallee/cloud/pki/authority.crt'),
    )
    env = {
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_CA_BUNDLE: authority,
    }
    await until('the door answers over TLS by its name', 60, async () => aws('sts', 'get-caller-identity'))
  },

  async 'every published port is listened on'() {
    for (const entry of services) {
      for (const port of entry.ports) {
        await until(`${entry.name} listens on ${port}`, 60, async () => {
          const { stdout } = await execute(
            'nsenter',
            [`--net=/run/netns/${cloud.netnsOf(entry.name)}`, 'ss', '-ltnH'],
            {
              encoding: 'utf8',
            },
          )
          return stdout.split('\n').some((line) => line.split(/\s+/)[3]?.endsWith(`:${port}`))
        })
      }
    }
  },

  async 'an image goes into walrus and a guest runs on the node'() {
    const disk = path.join(dir, 'disk.img')
    const bytes = Buffer.alloc(4 * 2 ** 20)
    bytes.writeUInt16LE(0xaa55, 510)
    bytes.set([0x80, 0, 2, 0, 0x83, 0, 0, 0, 1, 0, 0, 0, 0xff, 0x1f, 0, 0], 446)
    writeFileSync(disk, bytes)
    await aws('s3api', 'create-bucket', '--bucket', 'composed')
    await aws('s3api', 'put-object', '--bucket', 'composed', '--key', 'disk', '--body', disk)
    const image = await aws('ec2', 'register-image', '--name', 'disk', '--image-location', 'composed/disk')
    const id = image.ImageId as string
    await until('the image is available', 60, async () => {
      const answer = await aws('ec2', 'describe-images', '--image-ids', id)
      if (answer.Images[0].State === 'failed') throw new Error(JSON.stringify(answer.Images[0].StateReason))
      return answer.Images[0].State === 'available'
    })
    const run = await until('the node takes a launch', 90, async () =>
      aws('ec2', 'run-instances', '--image-id', id, '--instance-type', 't1.micro'),
    )
    const instance = run.Instances[0].InstanceId as string
    await until('it runs', 90, async () => {
      const answer = await aws('ec2', 'describe-instances', '--instance-ids', instance)
      const { State, StateReason } = answer.Reservations[0].Instances[0]
      if (State.Name === 'terminated') throw new Error(JSON.stringify(StateReason))
      return State.Name === 'running'
    })
    assert(
      (await cloud.exec('node-controller', 'virsh', 'list', '--name')).includes(instance),
      'no QEMU runs it',
    )
    await aws('ec2', 'terminate-instances', '--instance-ids', instance)
    await until(
      'it is gone',
      60,
      async () =>
        !(await cloud.exec('node-controller', 'virsh', 'list', '--all', '--name')).includes(instance),
    )
  },

  async 'a service that is killed goes on from its volumes'() {
    for (const name of ['cloud-controller', 'walrus', 'front-door', 'node-controller']) {
      await cloud.kill(name)
      assert(service(name).restarts, `${name} would not be started again`)
      await cloud.start(service(name))
    }
    await until('everything is there as before', 60, async () => {
      const buckets = await aws('s3api', 'list-buckets')
      const images = await aws('ec2', 'describe-images', '--owners', 'self')
      return buckets.Buckets[0]?.Name === 'composed' && images.Images.length === 1
    })
  },
}

const engine = spawnSync('docker', ['info'], { stdio: 'ignore' }).status === 0
process.stdout.write(
  engine
    ? 'a container engine is here: `docker compose up` is tried by `npm run long compose`\n'
    : 'SKIPPED: no container engine answers here; the services of docker-compose.yml run in namespaces\n',
)
try {
  for (const [name, work] of Object.entries(chapters)) if (!(await told.tell(name, work))) break
  if (told.failed > 0)
    for (const entry of services)
      process.stdout.write(
        `== ${entry.name}\n${readFileSync(cloud.logOf(entry.name), 'utf8').slice(-1500)}\n`,
      )
} finally {
  await cloud.close()
  rmSync(dir, { recursive: true, force: true })
}
process.exit(told.end('compose'))
