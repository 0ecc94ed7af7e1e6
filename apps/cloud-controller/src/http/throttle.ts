import { requestLimitExceeded } from '@mallee/ec2-api'

/**
 * Token buckets of one account, as EC2 has them: each call takes a token, tokens come back at a steady rate, and a call
 * that finds none is refused with `RequestLimitExceeded`. An action with a bucket of its own does not touch its class's.
 * https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
 */
export interface Bucket {
  /** Tokens at most, and at first. */
  readonly size: number
  /** Tokens a second. */
  readonly refill: number
}

/** What `docs/admin/operate.md` says; AWS's own numbers, ten times over, for the one machine is the tenants' own. */
export const buckets: Readonly<Record<string, Bucket>> = {
  describe: { size: 1000, refill: 200 },
  mutate: { size: 500, refill: 50 },
  RunInstances: { size: 500, refill: 50 },
  GetConsoleOutput: { size: 50, refill: 5 },
  GetConsoleScreenshot: { size: 50, refill: 5 },
  // Of who is nobody yet, by its address: a password takes 30 ms and 19 MiB to look at.
  GetAccessToken: { size: 20, refill: 1 },
  AssumeRoleWithWebIdentity: { size: 100, refill: 20 },
  // Of one user: six digits are soon guessed by whoever may try two hundred a second.
  MfaCode: { size: 20, refill: 0.2 },
}

const mostKnown = 100_000

export class Throttle {
  private readonly left = new Map<string, { tokens: number; atMs: number }>()
  private readonly limits: Readonly<Record<string, Bucket>> | null

  /** Null: no limits, for measuring. */
  constructor(limits: Readonly<Record<string, Bucket>> | null) {
    this.limits = limits
  }

  /** `accountId`: of who has none, an address. */
  take(accountId: string, action: string, nowMs: number): void {
    if (!this.limits) return
    const name = Object.hasOwn(this.limits, action) ? action : classOf(action)
    const bucket = this.limits[name]
    if (!bucket) return
    // Whoever floods us from many addresses does not fill our memory: then all begin anew.
    if (this.left.size >= mostKnown) this.left.clear()
    const key = `${accountId} ${name}`
    const known = this.left.get(key) ?? { tokens: bucket.size, atMs: nowMs }
    // A clock set back gives nothing and takes nothing.
    const gained = (Math.max(nowMs - known.atMs, 0) / 1000) * bucket.refill
    const tokens = Math.min(known.tokens + gained, bucket.size)
    if (tokens < 1) {
      this.left.set(key, { tokens, atMs: nowMs })
      throw requestLimitExceeded()
    }
    this.left.set(key, { tokens: tokens - 1, atMs: nowMs })
  }
}

function classOf(action: string): 'describe' | 'mutate' {
  return /^(?:Describe|Get|List|Search)/.test(action) ? 'describe' : 'mutate'
}
