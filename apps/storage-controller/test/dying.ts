const effects: Readonly<Record<string, readonly string[]>> = {
  ledger: ['setNote'],
  driver: ['createVolume', 'growVolume', 'removeVolume', 'takeSnapshot', 'removeSnapshot'],
  targets: ['call'],
  indexes: ['write', 'remove'],
  walrus: ['put', 'remove'],
}

class Death extends Error {}

/** Counts effects and lets the process die before one of them: it and all that follow do not happen. */
export class Dying {
  effects: string[] = []
  private left = Infinity

  dieBefore(count: number): void {
    this.effects = []
    this.left = count
  }

  get isDead(): boolean {
    return this.left <= 0
  }

  /** Waits for it; who has died meanwhile is started again, and does not die any more. */
  async until(
    world: { drop(): Promise<void>; open(): Promise<void> },
    condition: () => boolean,
  ): Promise<void> {
    const endsAt = performance.now() + 20_000
    while (!condition()) {
      if (performance.now() > endsAt) throw new Error(`never: ${String(condition)}`)
      if (this.isDead) {
        await world.drop()
        this.dieBefore(Infinity)
        await world.open()
      }
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  readonly around = <T extends object>(part: T, name: string): T =>
    new Proxy(part, {
      get: (target, key) => {
        const value = Reflect.get(target, key, target) as unknown
        if (typeof value !== 'function') return value
        const bound = (value as (...args: unknown[]) => unknown).bind(target)
        if (!effects[name]?.includes(String(key))) return bound
        return (...args: unknown[]) => {
          const request = args[0] as { operation?: string; mode?: string }
          if (request?.operation === 'show') return bound(...args)
          this.left -= 1
          if (this.left <= 0) return Promise.reject(new Death('dead'))
          const what = request?.operation ? `${request.operation} ${request.mode}` : String(key)
          this.effects.push(`${name} ${what}`)
          return bound(...args)
        }
      },
    })
}
