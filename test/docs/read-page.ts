/** A `sh` block of a page, or a comment that tells the test what happens in the world at this point. */
export interface Block {
  readonly kind: 'commands' | 'directive'
  /** Where the commands are said: the cloud's machine, or `second`. */
  readonly machine: string
  readonly text: string
}

/** Blocks and directives in the order of the page. Blocks that are not `sh` are for reading only. */
export function readPage(page: string): Block[] {
  const found = page.matchAll(/^```sh(?: (\w+))?\n([^]*?)^```$|^<!-- test: (.+) -->$/gm)
  return [...found].map(([, machine, commands, directive]) =>
    directive === undefined
      ? { kind: 'commands', machine: machine ?? 'cloud', text: commands ?? '' }
      : { kind: 'directive', machine: '', text: directive },
  )
}
