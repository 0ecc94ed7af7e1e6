import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { silentLog, systemClock } from '@mallee/base'
import { openObject } from '../../src/objects/open-object.ts'
import { openStorage } from '../../src/open-storage.ts'
import { bucket, type Recording } from './recording.ts'

/** What was wrong in one state; all empty where all is well. */
export interface Verdict {
  /** Acknowledged, and not there, or something else than was ever asked for. */
  readonly lost: string[]
  /** Named by the index, and not whole. */
  readonly damaged: string[]
  /** Left on the disk, and nobody's. */
  readonly orphans: string[]
}

/** Opens walrus' storage on the state, as a start after the power came back does, and reads everything. */
export async function checkState(
  at: { dataDir: string; dir: string },
  recording: Recording,
  moment: number,
): Promise<Verdict> {
  const verdict: Verdict = { lost: [], damaged: [], orphans: [] }
  const storage = await openStorage(at, { log: silentLog }, systemClock)
  try {
    const { index } = storage
    const rows = await index.read((db) => db.selectFrom('object').selectAll().execute())
    const found = new Map<string, string>()
    for (const { key } of rows) {
      const digest = await digestOfObject(storage, key)
      if (digest === null) verdict.damaged.push(key)
      else found.set(key, digest)
    }
    for (const [key, allowed] of allowedContents(recording, moment)) {
      const is = found.get(key) ?? null
      if (!verdict.damaged.includes(key) && !allowed.includes(is)) verdict.lost.push(key)
    }
    const named = new Set(
      (await index.read((db) => db.selectFrom('blob').select(['id', 'bytes']).execute()))
        .filter((row) => row.bytes === null)
        .map((row) => row.id),
    )
    const standing = filesBelow(path.join(at.dataDir, 'blobs'))
    verdict.orphans.push(
      ...standing.filter((id) => !named.has(id)),
      ...filesBelow(path.join(at.dataDir, 'incoming')),
    )
  } finally {
    await storage.index.close()
    await storage.claim.giveUp()
  }
  return verdict
}

async function digestOfObject(
  storage: Awaited<ReturnType<typeof openStorage>>,
  key: string,
): Promise<string | null> {
  const object = await openObject(storage, bucket, key)
  if (!object) return null
  const hash = createHash('sha256')
  let size = 0
  try {
    for await (const bytes of object.bytes(0, object.row.size)) {
      hash.update(bytes)
      size += bytes.length
    }
    return size === object.row.size ? hash.digest('hex') : null
  } catch {
    return null
  } finally {
    object.release()
  }
}

/** What each key may hold: as it was last acknowledged, or as what was asked since and not answered would make it. */
function allowedContents(recording: Recording, moment: number): Map<string, (string | null)[]> {
  const allowed = new Map<string, (string | null)[]>()
  for (const request of recording.requests) {
    if (request.begin >= moment) continue
    const before = allowed.get(request.key) ?? [null]
    allowed.set(request.key, request.end < moment ? [request.holds] : [...before, request.holds])
  }
  return allowed
}

function filesBelow(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
}
