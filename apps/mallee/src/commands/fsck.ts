import { adminCall } from '../admin-client.ts'
import { adminSocket } from '../host/daemons.ts'
import { requireLayout } from '../layout.ts'
import { parseCommand, print } from './command.ts'

interface Finding {
  readonly code: string
  readonly subject: string
  readonly what: string
  readonly remedy: string
}
interface Answer {
  readonly findings: readonly Finding[]
  readonly removed: readonly { readonly code: string; readonly subject: string }[]
  readonly notRemoved: readonly { readonly subject: string; readonly reason: string }[]
  readonly asked: readonly string[]
}

/** Three looks, each waiting for agents. */
const longestMs = 120_000

/** Whether the cloud is as its record says: 0 and `no findings`, or 1 and what is not. */
export async function runFsck(args: string[]): Promise<number> {
  const { stateDir, values } = parseCommand(
    args,
    {
      json: { type: 'boolean' },
      repair: { type: 'boolean' },
      grace: { type: 'string' },
      orphan: { type: 'string', multiple: true },
    },
    { least: 0, most: 0, usage: 'fsck [--json] [--repair [--orphan i-…]] [--grace SECONDS]' },
  )
  const answer = await adminCall<Answer>(
    adminSocket(requireLayout(stateDir)),
    'POST',
    '/admin/v1/fsck',
    {
      repair: values.repair ?? false,
      ...(values.grace === undefined ? {} : { graceSeconds: Number(values.grace) }),
      orphans: values.orphan ?? [],
    },
    longestMs,
  )
  if (values.json) print(JSON.stringify(answer))
  else printAnswer(answer)
  return answer.findings.length === 0 ? 0 : 1
}

function printAnswer({ findings, removed, notRemoved }: Answer): void {
  for (const entry of removed) print(`removed      ${entry.subject} (${entry.code})`)
  for (const entry of notRemoved) print(`not removed  ${entry.subject}: ${entry.reason}`)
  if (findings.length === 0) return print('no findings')
  const width = (pick: (entry: Finding) => string) => Math.max(...findings.map((entry) => pick(entry).length))
  const [codes, subjects] = [width((entry) => entry.code), width((entry) => entry.subject)]
  for (const entry of findings)
    print(`${entry.code.padEnd(codes)}  ${entry.subject.padEnd(subjects)}  ${entry.what}. ${entry.remedy}`)
}
