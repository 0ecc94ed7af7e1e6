import type { AttachedFacts } from '@mallee/agent-contract'
import type { AttachmentEvent } from '@mallee/lifecycles'
import type {
  DomainTable,
  InstanceTable,
  VolumeAttachmentTable,
  VolumeExportTable,
  VolumeTable,
} from '../store/tables.ts'

/**
 * What to do with one volume's attachment, from its rows alone. A volume has at most one writer: a new export is made
 * only when no export of the attachment is left, and one is withdrawn only when nobody writes through it any more, unless
 * it was asked for by force. An export is made for one start of one instance on one node.
 */
export type AttachmentDecision =
  | { readonly do: 'nothing' }
  | { readonly do: 'transition'; readonly event: AttachmentEvent; readonly reason?: string }
  /** Make the next export, to the instance's node. */
  | { readonly do: 'export'; readonly nodeId: string }
  /** Keep the items of the export in step; with the connection where its node may use it. */
  | { readonly do: 'keep'; readonly connect: boolean }
  | { readonly do: 'withdraw' }
  /** The withdrawn export is gone: take it out. */
  | { readonly do: 'drop'; readonly exportId: string }
  /** Nothing of it is left: the volume is its owner's again. */
  | { readonly do: 'give-back' }

export interface AttachmentRows {
  readonly attachment: VolumeAttachmentTable
  readonly volume: VolumeTable
  /** Undefined where it was terminated and forgotten. */
  readonly instance: InstanceTable | undefined
  readonly domain: DomainTable | undefined
  /** Oldest first. */
  readonly exports: readonly VolumeExportTable[]
  /** Generation and volumes of the domain's item, as its node is to have them. */
  readonly item: { readonly generation: number; readonly exportIds: readonly string[] } | undefined
}

export function decideAttachment(rows: AttachmentRows): AttachmentDecision {
  const { attachment, exports, instance } = rows
  const gone = exports.find((row) => row.withdrawn === 1 && row.observed_state === 'gone')
  if (gone) return { do: 'drop', exportId: gone.id }
  const live = exports.find((row) => row.withdrawn === 0)
  if (attachment.state === 'detaching') return decideDetaching(rows, live)
  if (!instance || hasEnded(instance, rows.domain)) return { do: 'transition', event: 'instanceEnds' }
  if (live && live.node_id !== instance.node_id && !isHeld(rows, live)) return { do: 'withdraw' }
  if (instance.state === 'stopped') {
    if (live) return isHeld(rows, live) ? { do: 'keep', connect: true } : { do: 'withdraw' }
    return attachment.state === 'attaching' ? { do: 'transition', event: 'pluggedIn' } : { do: 'nothing' }
  }
  return decideAttaching(rows, live, instance)
}

function decideAttaching(
  rows: AttachmentRows,
  live: VolumeExportTable | undefined,
  instance: InstanceTable,
): AttachmentDecision {
  const { attachment, exports, volume } = rows
  if (!live) {
    const starts = instance.state === 'pending' || instance.state === 'running'
    const free = exports.length === 0 && volume.observed_state === 'available'
    return starts && free && instance.node_id !== null
      ? { do: 'export', nodeId: instance.node_id }
      : { do: 'nothing' }
  }
  if (attachment.state === 'attaching') {
    const facts = factsOf(rows, live.id)
    if (facts?.state === 'attached') return { do: 'transition', event: 'pluggedIn' }
    if (facts?.state === 'failed')
      return {
        do: 'transition',
        event: 'attachFailed',
        reason: facts.message ?? 'It could not be plugged in.',
      }
    if (live.observed_state === 'failed')
      return {
        do: 'transition',
        event: 'attachFailed',
        reason: live.observed_message ?? 'It could not be exported.',
      }
  }
  return { do: 'keep', connect: live.observed_state === 'ready' }
}

function decideDetaching(rows: AttachmentRows, live: VolumeExportTable | undefined): AttachmentDecision {
  if (live)
    return rows.attachment.forced === 1 || !isHeld(rows, live)
      ? { do: 'withdraw' }
      : { do: 'keep', connect: true }
  return rows.exports.length === 0 ? { do: 'give-back' } : { do: 'keep', connect: false }
}

function hasEnded(instance: InstanceTable, domain: DomainTable | undefined): boolean {
  if (instance.state === 'terminated') return true
  return instance.state === 'shutting-down' && (!domain || domain.observed_state === 'gone')
}

/**
 * Whether the instance's domain may write through the export. Only its node's own word says that it does not: that the
 * domain is gone, or that it runs without the volume, said of an item that does not name it.
 */
function isHeld(rows: AttachmentRows, live: VolumeExportTable): boolean {
  const { domain, item } = rows
  if (!domain || domain.node_id !== live.node_id || domain.observed_state === 'gone') return false
  if (!item) return false
  if (item.exportIds.includes(live.id) || domain.observed_generation !== item.generation) return true
  if (domain.observed_state !== 'running') return domain.observed_state !== 'ended'
  return factsOf(rows, live.id) !== undefined
}

function factsOf({ domain }: AttachmentRows, exportId: string): AttachedFacts | undefined {
  const all = JSON.parse(domain?.volumes ?? '[]') as AttachedFacts[]
  return all.find((facts) => facts.attachmentId === exportId)
}
