import { readFile } from 'node:fs/promises'

/** In the eyes of a process. Looked up in the table of mounts: asking the file itself would wait for whoever serves it. */
export async function isMounted(pid: number, file: string): Promise<boolean> {
  const table = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '')
  return table.split('\n').some((line) => line.split(' ')[4] === file)
}
