import type { TestHost } from './test-host.ts'

// oxlint-disable-next-line typescript/no-explicit-any -- answers of every action are read here
type Json = any

export interface Guest {
  readonly id: string
  readonly state: string
  /** Why it is in this state, where there is something to say. */
  readonly reason: string
  readonly publicIp: string
  readonly privateIp: string
}

/** What a user has: the unmodified aws command, the printed environment, and ssh. */
export class CloudClient {
  private readonly host: TestHost
  /** What the user's shell would have. */
  readonly environment: Readonly<Record<string, string>>
  private readonly endpoint: string
  readonly keyFile: string

  constructor(host: TestHost, env: Record<string, string>) {
    this.host = host
    this.environment = { ...env, AWS_PAGER: '', AWS_EC2_METADATA_DISABLED: 'true', AWS_MAX_ATTEMPTS: '3' }
    this.endpoint = env['AWS_ENDPOINT_URL'] ?? `http://127.0.0.1:${host.portBase}`
    this.keyFile = `${host.stateDir}/keys/mallee`
  }

  static async connect(host: TestHost, options: { tls?: boolean } = {}): Promise<CloudClient> {
    const text = await host.mallee('env', ...(options.tls ? ['--tls'] : []))
    const env = Object.fromEntries(
      [...text.matchAll(/^export (\w+)=(.*)$/gm)].map((match) => [match[1]!, match[2]!]),
    )
    return new CloudClient(host, env)
  }

  /** `aws SERVICE …`; the answer parsed where it is JSON. */
  async aws(...args: string[]): Promise<Json> {
    const text = await this.host.must('aws', ['--endpoint-url', this.endpoint, '--output', 'json', ...args], {
      env: this.environment,
      timeoutMs: 120_000,
    })
    return text.trim().startsWith('{') || text.trim().startsWith('[') ? (JSON.parse(text) as Json) : text
  }

  /** The code of the refusal that the call must meet. */
  async refusal(...args: string[]): Promise<string> {
    const outcome = await this.host.run('aws', ['--endpoint-url', this.endpoint, ...args], {
      env: this.environment,
      timeoutMs: 120_000,
    })
    if (outcome.code === 0) throw new Error(`aws ${args.join(' ')} was not refused`)
    return /\((\w[\w.]*)\)/.exec(outcome.stderr)?.[1] ?? outcome.stderr
  }

  async guests(...ids: string[]): Promise<Guest[]> {
    const answer = await this.aws(
      'ec2',
      'describe-instances',
      ...(ids.length > 0 ? ['--instance-ids', ...ids] : []),
    )
    return answer.Reservations.flatMap((reservation: Json) =>
      reservation.Instances.map((instance: Json) => ({
        id: instance.InstanceId,
        state: instance.State.Name,
        reason: instance.StateReason?.Message ?? '',
        publicIp: instance.PublicIpAddress ?? '',
        privateIp: instance.PrivateIpAddress ?? '',
      })),
    )
  }

  /** Runs a command in a guest as its owner; the outcome of ssh itself is its own. */
  ssh(address: string, command: string, timeoutMs = 20_000) {
    const options = [
      'StrictHostKeyChecking=no',
      'UserKnownHostsFile=/dev/null',
      'LogLevel=ERROR',
      'BatchMode=yes',
      'ConnectTimeout=5',
    ]
    const args = [
      '-i',
      this.keyFile,
      ...options.flatMap((option) => ['-o', option]),
      `root@${address}`,
      command,
    ]
    return this.host.run('ssh', args, { timeoutMs })
  }

  async inGuest(address: string, command: string): Promise<string> {
    const outcome = await this.ssh(address, command)
    if (outcome.code !== 0) throw new Error(`ssh ${address} ${command}: ${outcome.code} ${outcome.stderr}`)
    return outcome.stdout.trim()
  }
}
