const everyMs = 40

/** Asks until there is an answer; what it was waiting for is in the error. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | null | undefined | false>,
  timeoutMs = 40_000,
): Promise<T> {
  const endMs = performance.now() + timeoutMs
  let last: unknown = null
  while (performance.now() < endMs) {
    try {
      const value = await probe()
      if (value) return value
      last = null
    } catch (error) {
      last = error
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
  throw new Error(`waited in vain: ${what}${last instanceof Error ? ` (${last.message})` : ''}`)
}
