/** What tgt says of its targets, read from the text that `tgtadm --op show --mode target` prints. */
export interface TgtTarget {
  readonly tid: number
  readonly iqn: string
  /** Initiators that are logged in. */
  readonly sessions: number
  readonly units: readonly { readonly lun: number; readonly path: string | null; readonly serial: string }[]
  /** CHAP users that initiators must be. */
  readonly accounts: readonly string[]
  /** Names and addresses of initiators that are let in. */
  readonly initiators: readonly string[]
}

type Section = 'nexus' | 'units' | 'accounts' | 'initiators' | null

const sections: Readonly<Record<string, Section>> = {
  'System information:': null,
  'I_T nexus information:': 'nexus',
  'LUN information:': 'units',
  'Account information:': 'accounts',
  'ACL information:': 'initiators',
}

interface Reading {
  tid: number
  iqn: string
  sessions: number
  units: { lun: number; path: string | null; serial: string }[]
  accounts: string[]
  initiators: string[]
}

export function readTargets(text: string): TgtTarget[] {
  const targets: Reading[] = []
  let section: Section = null
  for (const line of text.split('\n')) {
    const head = /^Target (\d+): (\S+)/.exec(line)
    if (head) {
      const [tid, iqn] = [Number(head[1]), head[2]!]
      targets.push({ tid, iqn, sessions: 0, units: [], accounts: [], initiators: [] })
      section = null
      continue
    }
    const word = line.trim()
    const target = targets.at(-1)
    if (!target || word === '') continue
    if (word in sections) section = sections[word] ?? null
    else if (section === 'nexus' && word.startsWith('I_T nexus:')) target.sessions += 1
    else if (section === 'units') readUnit(target, word)
    else if (section === 'accounts') target.accounts.push(word)
    else if (section === 'initiators') target.initiators.push(word)
  }
  return targets
}

function readUnit(target: Reading, word: string): void {
  const [name, value] = [word.slice(0, word.indexOf(':')), word.slice(word.indexOf(':') + 1).trim()]
  if (name === 'LUN') target.units.push({ lun: Number(value), path: null, serial: '' })
  const unit = target.units.at(-1)
  if (!unit) return
  if (name === 'Backing store path') unit.path = value === 'None' ? null : value
  if (name === 'SCSI SN') unit.serial = value
}
