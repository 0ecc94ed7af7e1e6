import { Ajv } from 'ajv'
import type { FastifyInstance } from 'fastify'
import { MalleeError } from '@mallee/base'
import { runFsck, type FsckDependencies, type FsckRequest, type FsckResult } from './run-fsck.ts'

const ajv = new Ajv({ strict: true, useDefaults: true })
const fsckRequest = ajv.compile<{
  repair: boolean
  agents: boolean
  graceSeconds: number
  orphans: string[]
}>({
  type: 'object',
  additionalProperties: false,
  properties: {
    repair: { type: 'boolean', default: false },
    agents: { type: 'boolean', default: true },
    graceSeconds: { type: 'integer', minimum: 0, maximum: 86_400, default: 60 },
    orphans: { type: 'array', maxItems: 100, items: { type: 'string' }, default: [] },
  },
})

/** One at a time: two would raise each other's counters. */
export function registerFsck(app: FastifyInstance, deps: FsckDependencies): void {
  let turn: Promise<unknown> = Promise.resolve()
  app.post('/admin/v1/fsck', (request): Promise<FsckResult> => {
    const body = (request.body ?? {}) as unknown
    if (!fsckRequest(body))
      throw new MalleeError({ code: 'BadRequest', publicMessage: ajv.errorsText(fsckRequest.errors) })
    const asked: FsckRequest = { ...body, graceMs: body.graceSeconds * 1000 }
    const mine = turn.then(() => runFsck(deps, asked))
    turn = mine.catch(() => {})
    return mine
  })
}
