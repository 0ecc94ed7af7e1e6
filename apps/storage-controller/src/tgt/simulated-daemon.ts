import { MalleeError } from '@mallee/base'
import type { TgtTarget } from './read-targets.ts'
import type { TargetDaemon, Targets } from './target-daemon.ts'
import { encodeTgtRequest, type TgtRequest } from './tgt-request.ts'

type Writable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] }
type Unit = Writable<TgtTarget['units'][number]>

/** Targets that nobody can reach, with tgt's own rules: what tgt refuses is refused. */
export class SimulatedDaemon implements TargetDaemon {
  readonly client: Targets & { readonly all: Map<number, Writable<TgtTarget>> }

  constructor() {
    this.client = new SimulatedTargets()
  }

  async ensure(): Promise<{ started: boolean }> {
    return { started: false }
  }

  async pid(): Promise<number | null> {
    return null
  }
}

class SimulatedTargets implements Targets {
  readonly all = new Map<number, Writable<TgtTarget>>()
  private readonly users = new Set<string>()

  async targets(): Promise<TgtTarget[]> {
    return structuredClone([...this.all.values()])
  }

  async accounts(): Promise<string[]> {
    return [...this.users]
  }

  async call(request: TgtRequest): Promise<string> {
    encodeTgtRequest(request) // refuses what the format cannot carry
    const { mode, operation, parameters = {} } = request
    if (operation === 'show') return ''
    if (mode === 'account') this.account(request)
    else if (mode === 'logicalUnit') this.unit(request)
    else if (mode === 'target' && operation === 'new') this.make(request)
    else if (mode === 'target' && operation === 'delete') {
      if (!this.all.delete(request.tid ?? -1)) throw refused('can not find the target')
    } else if (mode === 'target') this.initiator(request, parameters['initiator-name'] ?? '')
    else throw refused('invalid request')
    return ''
  }

  private make({ tid = -1, parameters = {} }: TgtRequest): void {
    const iqn = parameters['targetname'] ?? ''
    if (this.all.has(tid) || [...this.all.values()].some((target) => target.iqn === iqn))
      throw refused('this target already exists')
    this.all.set(tid, { tid, iqn, sessions: 0, units: [], accounts: [], initiators: [] })
  }

  private unit({ operation, tid, lun = -1, parameters = {} }: TgtRequest): void {
    const { units } = this.require(tid)
    const present = units.find((unit) => unit.lun === lun) as Unit | undefined
    if (operation === 'new') {
      if (present) throw refused('this logical unit number already exists')
      units.push({ lun, path: parameters['path'] ?? null, serial: '' })
    } else if (!present) throw refused('can not find the logical unit')
    else if (parameters['scsi_sn'] !== undefined) present.serial = parameters['scsi_sn']
  }

  private account({ operation, tid, parameters = {} }: TgtRequest): void {
    const user = parameters['user'] ?? ''
    if (operation === 'new') {
      if (this.users.has(user)) throw refused('this account already exists')
      this.users.add(user)
      return
    }
    if (!this.users.has(user)) throw refused('can not find the account')
    if (operation === 'bind') this.require(tid).accounts.push(user)
    if (operation !== 'delete') return
    this.users.delete(user)
    for (const target of this.all.values()) target.accounts = target.accounts.filter((name) => name !== user)
  }

  private initiator({ operation, tid }: TgtRequest, name: string): void {
    const target = this.require(tid)
    if (operation === 'bind') target.initiators.push(name)
    else target.initiators = target.initiators.filter((other) => other !== name)
  }

  private require(tid = -1): Writable<TgtTarget> {
    const target = this.all.get(tid)
    if (!target) throw refused('can not find the target')
    return target
  }
}

function refused(why: string): MalleeError {
  return new MalleeError({
    code: 'TargetDaemonRefused',
    publicMessage: `The target daemon refused: ${why}.`,
  })
}
