/** Chapters of a long test, told one after the other; a failure is counted and told, and the story goes on. */
export class Chapters {
  passed = 0
  failed = 0

  async tell(name: string, work: () => Promise<void>): Promise<boolean> {
    const startedMs = Date.now()
    try {
      await work()
      this.passed += 1
      process.stdout.write(`ok   ${name} (${((Date.now() - startedMs) / 1000).toFixed(1)} s)\n`)
      return true
    } catch (error) {
      this.failed += 1
      process.stdout.write(`FAIL ${name}: ${(error as Error).message}\n`)
      return false
    }
  }

  /** Prints the sum and answers the exit code. */
  end(title: string): number {
    process.stdout.write(`${title}: ${this.passed} passed, ${this.failed} failed\n`)
    return this.failed === 0 ? 0 : 1
  }
}
