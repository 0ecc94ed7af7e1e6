import { errorMessage, minuteMs, systemClock, type Clock, type Log } from '@mallee/base'
import type { DomainItem, RoleCredentials } from '@mallee/agent-contract'
import type { CloudClient, Ledger } from '@mallee/agent-kit'

/** Asked anew when they are so old: a profile may have another role by then, and hours are left of the old ones. */
const renewAfterMs = 30 * minuteMs
/** After an answer that gave none, or no answer. */
const askAgainAfterMs = 10_000

interface Kept {
  readonly profileId: string
  readonly askedAtMs: number
  readonly credentials: RoleCredentials
}

const noteOf = (instanceId: string) => `role-credentials ${instanceId}`

/**
 * The credentials of instances' roles: from the cloud controller, kept sealed in the ledger, so that guests have them
 * while it is away and after we were started anew. They are fetched before a guest asks, and long before they end.
 */
export class RoleCredentialsKeeper {
  private readonly client: Pick<CloudClient, 'roleCredentials'>
  private readonly ledger: Pick<Ledger, 'list' | 'secretNote' | 'setSecretNote' | 'noteNames'>
  private readonly clock: Pick<Clock, 'now'>
  private readonly log: Log
  private readonly kept = new Map<string, Kept>()
  private readonly asking = new Map<string, Promise<void>>()
  private readonly failedAtMs = new Map<string, number>()

  constructor(deps: {
    readonly client: Pick<CloudClient, 'roleCredentials'>
    readonly ledger: Pick<Ledger, 'list' | 'secretNote' | 'setSecretNote' | 'noteNames'>
    readonly clock: Pick<Clock, 'now'>
    readonly log: Log
  }) {
    this.client = deps.client
    this.ledger = deps.ledger
    this.clock = deps.clock
    this.log = deps.log
    for (const name of this.ledger.noteNames(noteOf(''))) {
      const kept = this.ledger.secretNote<Kept>(name)
      if (kept) this.kept.set(name.slice(noteOf('').length), kept)
    }
  }

  /** What an instance may have now; null where it has no profile, or nothing was heard yet. */
  async of(item: Pick<DomainItem, 'instanceId' | 'instanceProfile'>): Promise<RoleCredentials | null> {
    const { instanceId, instanceProfile } = item
    if (!instanceProfile) return null
    if (this.isOld(instanceId, instanceProfile.id)) await this.ask(instanceId, instanceProfile.id)
    const kept = this.kept.get(instanceId)
    if (kept?.profileId !== instanceProfile.id) return null
    const isOver = (kept.credentials.expiresAtMs ?? Infinity) <= this.clock.now()
    return isOver ? null : kept.credentials
  }

  /** Once over all instances of this node: renews what is old, forgets what is of none. */
  async pass(): Promise<void> {
    const items = this.ledger.list('domain').map(({ body }) => body)
    const withProfile = items.filter((item) => item.instanceProfile && item.intent === 'run')
    for (const item of withProfile) await this.of(item)
    const stays = new Set(withProfile.map((item) => item.instanceId))
    for (const instanceId of this.kept.keys()) if (!stays.has(instanceId)) await this.forget(instanceId)
  }

  private isOld(instanceId: string, profileId: string): boolean {
    const nowMs = this.clock.now()
    const kept = this.kept.get(instanceId)
    const fresh = kept?.profileId === profileId && kept.credentials.code === 'Success'
    if (fresh && nowMs - kept.askedAtMs < renewAfterMs) return false
    const triedAtMs = Math.max(
      this.failedAtMs.get(instanceId) ?? -Infinity,
      kept?.profileId === profileId && !fresh ? kept.askedAtMs : -Infinity,
    )
    return nowMs - triedAtMs >= askAgainAfterMs
  }

  /** One question at a time for each instance, however many of its programs wait. */
  private ask(instanceId: string, profileId: string): Promise<void> {
    const running = this.asking.get(instanceId)
    if (running) return running
    const asked = this.fetch(instanceId, profileId).finally(() => this.asking.delete(instanceId))
    this.asking.set(instanceId, asked)
    return asked
  }

  private async fetch(instanceId: string, profileId: string): Promise<void> {
    const askedAtMs = this.clock.now()
    try {
      const credentials = await this.client.roleCredentials(instanceId)
      const kept = { profileId, askedAtMs, credentials }
      this.kept.set(instanceId, kept)
      this.failedAtMs.delete(instanceId)
      await this.ledger.setSecretNote(noteOf(instanceId), kept)
    } catch (error) {
      this.failedAtMs.set(instanceId, askedAtMs)
      this.log.warn({ instanceId, reason: errorMessage(error) }, "a role's credentials were not renewed")
    }
  }

  private async forget(instanceId: string): Promise<void> {
    this.kept.delete(instanceId)
    this.failedAtMs.delete(instanceId)
    await this.ledger.setSecretNote(noteOf(instanceId), undefined)
  }
}

const passEveryMs = 5_000

/** Renews until it is told to stop. */
export async function keepRoleCredentials(
  keeper: RoleCredentialsKeeper,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await keeper.pass().catch((error: unknown) => {
      log.warn({ reason: errorMessage(error) }, "roles' credentials were not looked after")
    })
    await systemClock.sleep(passEveryMs, signal)
  }
}
