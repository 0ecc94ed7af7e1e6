import type { OtherProcesses } from '../drivers/blob-keeper.ts'

/** The workers before there are any: storage is opened, and swept, before the first of them begins. */
export class LateOthers implements OtherProcesses {
  private others: OtherProcesses | null = null

  become(others: OtherProcesses): void {
    this.others = others
  }

  letGo(ids: readonly string[], gone: (id: string) => void): void {
    if (this.others) this.others.letGo(ids, gone)
    else ids.forEach(gone)
  }

  mayWrite(id: string): boolean {
    return this.others?.mayWrite(id) ?? false
  }
}
