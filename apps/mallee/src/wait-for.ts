import { MalleeError } from '@mallee/base'

/** Asks until the answer is there; `failure` makes the sentence when `timeoutMs` has passed without one. */
export async function waitFor<T>(
  ask: () => Promise<T | null | undefined | false>,
  options: { timeoutMs: number; everyMs?: number; failure: string },
): Promise<T> {
  const deadlineMs = Date.now() + options.timeoutMs
  let last: unknown
  for (;;) {
    try {
      const answer = await ask()
      if (answer) return answer
    } catch (error) {
      last = error
      if (!(error instanceof MalleeError && error.retryable)) throw error
    }
    if (Date.now() > deadlineMs)
      throw new MalleeError({ code: 'TimedOut', publicMessage: options.failure, cause: last })
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? 200))
  }
}
