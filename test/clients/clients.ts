import { assert } from '@mallee/base'
import { Chapters, CloudClient, TestHost } from '@mallee/testkit'

/**
 * Unmodified clients of both eras against one real cloud, each through its own day: key pair, image, launch, describe,
 * tag, terminate; and the tools of S3 through theirs. Over HTTP and over TLS, with the signatures that they make by
 * themselves.
 */
const host = new TestHost()
const story = new Chapters()
const python = '/usr/bin/python3'
const node = [process.execPath, '--disable-warning=ExperimentalWarning']
const file = (name: string) => `${import.meta.dirname}/${name}`

interface Flow {
  readonly command: readonly string[]
  readonly env?: Record<string, string>
  /** Over HTTP only: what it does over TLS, others do too. */
  readonly once?: boolean
}

/** `./mallee test clients` runs all, `node test/clients/clients.ts soap` one. */
const chosen = process.argv.slice(2)

const flows: Readonly<Record<string, Flow>> = {
  boto3: { command: [python, file('boto3_flow.py')] },
  boto2: { command: [python, file('boto2_flow.py')] },
  'boto2-sigv4': { command: [python, file('boto2_flow.py')], env: { EC2_USE_SIGV4: '1' } },
  'ebs-boto3': { command: [python, file('ebs_boto3.py')] },
  governance: { command: [python, file('governance_flow.py')] },
  'iam-boto3': { command: [python, file('iam_boto3.py')] },
  libcloud: { command: [python, file('libcloud_flow.py')] },
  soap: { command: [python, file('soap_flow.py')] },
  'sdk-v3': { command: [...node, file('sdk-flow.ts')] },
  's3-awscli': { command: [python, file('s3/awscli.py')] },
  's3-boto3': { command: [python, file('s3/boto3_s3.py')] },
  's3-boto2': { command: [python, file('s3/boto2_s3.py')] },
  's3-sdk-v3': { command: [...node, file('s3/sdk-s3-flow.ts')] },
  s3cmd: { command: [python, file('s3/s3cmd.py')] },
  rclone: { command: [python, file('s3/rclone.py')], once: true },
  restic: { command: [python, file('s3/restic.py')], once: true },
  s3fs: { command: [python, file('s3/s3fs.py')], once: true },
}

await host.open()
try {
  const up = await story.tell('a cloud that takes old signatures comes up', async () => {
    await host.mallee('up', '--detach', '--legacy', '--port-base', String(host.portBase))
  })
  const client = up ? await CloudClient.connect(host) : null
  const secure = up ? await CloudClient.connect(host, { tls: true }) : null
  if (client && secure) {
    const images = await client.aws('ec2', 'describe-images', '--owners', 'self')
    const starter = images.Images.find((image: { Name: string }) => image.Name === 'mallee-starter')
    const location = starter.ImageLocation as string
    for (const [name, flow] of Object.entries(flows)) {
      if (chosen.length > 0 && !chosen.includes(name)) continue
      for (const tls of flow.once ? [false] : [false, true]) {
        await story.tell(`${name} lives its day over ${tls ? 'TLS' : 'HTTP'}`, async () => {
          const outcome = await host.run(flow.command[0]!, flow.command.slice(1), {
            timeoutMs: 180_000,
            env: {
              ...secure.environment,
              ...flow.env,
              // boto and libcloud look for a name in certificates, and not for an address.
              MALLEE_HOST: 'localhost',
              MALLEE_PORT: String(host.portBase),
              MALLEE_TLS: tls ? '1' : '0',
              MALLEE_CA: secure.environment['AWS_CA_BUNDLE'] ?? '',
              NODE_EXTRA_CA_CERTS: secure.environment['AWS_CA_BUNDLE'] ?? '',
              MALLEE_IMAGE_LOCATION: location,
              MALLEE_FLOW: `${name}-${tls ? 'tls' : 'http'}`,
              REQUESTS_CA_BUNDLE: secure.environment['AWS_CA_BUNDLE'] ?? '',
              MALLEE_FOLDER: host.stateDir,
              MALLEE_NODE: node.join(' '),
              MALLEE_CREATE_CERTIFICATE: file('create-certificate.ts'),
              PYTHONDONTWRITEBYTECODE: '1',
            },
          })
          assert(
            outcome.code === 0 && outcome.stdout.trim().endsWith('step done'),
            `${outcome.stdout}\n${outcome.stderr.slice(-3000)}`,
          )
          const skipped = /^SKIPPED: .*$/m.exec(outcome.stdout)
          if (skipped) process.stdout.write(`${skipped[0]}\n`)
        })
      }
    }
    await story.tell('nothing is left of their days', async () => {
      const alive = (await client.guests()).filter((guest) => guest.state !== 'terminated')
      assert(alive.length === 1, `instances are left: ${JSON.stringify(alive)}`) // the one that `up` launches
      const left = await client.aws('ec2', 'describe-images', '--owners', 'self')
      assert(left.Images.length === images.Images.length, `images are left: ${left.Images.length}`)
    })
  }
  if (story.failed > 0)
    process.stdout.write(
      await host.run('sh', ['-c', `tail -n 25 ${host.stateDir}/log/cloud*.log`]).then(({ stdout }) => stdout),
    )
} finally {
  await host.close()
}
process.exit(story.end('clients'))
