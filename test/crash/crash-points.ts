import childProcess from 'node:child_process'
import fs from 'node:fs'
import fsp, { type FileHandle } from 'node:fs/promises'
import http from 'node:http'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

/**
 * Loaded into a daemon before its first line (`node --import`): every deed of the process that another may see or that
 * outlives it becomes a point with a label: what is written, synced, renamed and removed under the state folder, each
 * commit, each answer, each question to another daemon, each program that it runs. The harness has the points of a
 * workflow recorded, and then has the process kill itself just before or just after one of them. Production code has
 * no part in it.
 */
export interface CrashPlan {
  readonly mode: 'off' | 'record' | 'kill'
  readonly label?: string
  /** Which of the points with this label since it was armed: 1 is the first. */
  readonly occurrence?: number
  readonly when?: 'before' | 'after'
}

const root = process.env['MALLEE_CRASH_ROOT'] ?? '/nowhere'
let plan: CrashPlan = JSON.parse(process.env['MALLEE_CRASH_PLAN'] ?? '{"mode":"off"}') as CrashPlan
let counts = new Map<string, number>()
let recorded: string[] = []

process.on('message', (message: { arm?: CrashPlan; collect?: true }) => {
  if (message.arm) {
    plan = message.arm
    counts = new Map()
    recorded = []
    process.send?.({ armed: true })
  }
  if (message.collect) process.send?.({ recorded })
})
process.channel?.unref()
process.on('disconnect', die) // the harness is gone, and so is everything that it started

/** Enters a point; the answer is to be called when the deed is done. */
function enter(label: string): () => void {
  if (plan.mode === 'off') return nothing
  const occurrence = (counts.get(label) ?? 0) + 1
  counts.set(label, occurrence)
  if (plan.mode === 'record') {
    recorded.push(label)
    return nothing
  }
  if (plan.label !== label || plan.occurrence !== occurrence) return nothing
  if (plan.when === 'before') die()
  return die
}

const nothing = () => {}

function die(): void {
  process.kill(process.pid, 'SIGKILL')
}

/** Ids, digests and tokens become stars, so that one label stands for the same deed of every run. */
function shapeOf(file: string): string {
  return file
    .replaceAll(/\b(i|eni|ami|agent|vpc|subnet|r)-[0-9a-f]{17}\b/g, '$1-*')
    .replaceAll(/\b(joiner|image)-\d+-\d+/g, '$1-*')
    .replaceAll(/[a-z2-7]{32}/g, '*')
    .replaceAll(/[0-9a-f]{16,}/g, '*')
    .replaceAll(/blobs\/[0-9a-f]{2}\b/g, 'blobs/*')
    .replaceAll(/\b\d{6,}\b/g, '*')
}

function inside(file: unknown): string | null {
  const text = file instanceof URL ? file.pathname : String(file)
  return text.startsWith(`${root}/`) ? shapeOf(path.relative(root, text)) : null
}

async function around<T>(label: string | null, deed: () => Promise<T>): Promise<T> {
  if (label === null) return deed()
  const done = enter(label)
  const value = await deed()
  done()
  return value
}

function aroundSync<T>(label: string | null, deed: () => T): T {
  if (label === null) return deed()
  const done = enter(label)
  const value = deed()
  done()
  return value
}

// oxlint-disable-next-line typescript/no-explicit-any -- functions of every shape are wrapped
type Any = any

function changes(flags: unknown): boolean {
  if (typeof flags === 'number') return (flags & (fs.constants.O_CREAT | fs.constants.O_TRUNC)) !== 0
  return typeof flags === 'string' && /[wa]/.test(flags)
}

const oneFile = ['writeFile', 'appendFile', 'rm', 'unlink', 'rmdir', 'mkdir', 'truncate'] as const
const twoFiles = ['rename', 'link', 'symlink', 'copyFile'] as const
const handleNames = new WeakMap<object, string>()

function wrapFiles(): void {
  const promises = fsp as Any
  const sync = fs as Any
  for (const name of oneFile) {
    const [later, now] = [promises[name], sync[`${name}Sync`]]
    promises[name] = (file: Any, ...rest: Any[]) =>
      around(label(name, file), () => later.call(promises, file, ...rest))
    sync[`${name}Sync`] = (file: Any, ...rest: Any[]) =>
      aroundSync(label(name, file), () => now.call(sync, file, ...rest))
  }
  for (const name of twoFiles) {
    const [later, now] = [promises[name], sync[`${name}Sync`]]
    promises[name] = (from: Any, to: Any, ...rest: Any[]) =>
      around(label(name, to), () => later.call(promises, from, to, ...rest))
    sync[`${name}Sync`] = (from: Any, to: Any, ...rest: Any[]) =>
      aroundSync(label(name, to), () => now.call(sync, from, to, ...rest))
  }
  const open = promises.open
  promises.open = async (file: Any, flags: Any, ...rest: Any[]) => {
    const handle = await around(changes(flags) ? label('create', file) : null, () =>
      open.call(promises, file, flags, ...rest),
    )
    const name = inside(file)
    if (name !== null) handleNames.set(handle as object, name)
    return handle
  }
}

const label = (deed: string, file: unknown): string | null => {
  const name = inside(file)
  return name === null ? null : `${deed} ${name}`
}

/** File handles have no constructor of their own to be had: one that is opened tells their prototype. */
async function wrapHandles(): Promise<void> {
  const name = path.join(tmpdir(), `mallee-crash-points-${process.pid}`)
  const handle: FileHandle = await fsp.open(name, 'w')
  const prototype = Object.getPrototypeOf(handle) as Any
  await handle.close()
  fs.unlinkSync(name)
  for (const deed of ['write', 'writev', 'writeFile', 'appendFile', 'sync', 'datasync', 'truncate']) {
    const original = prototype[deed]
    prototype[deed] = function (this: object, ...args: Any[]) {
      const of = handleNames.get(this)
      return around(of === undefined ? null : `${deed} ${of}`, () => original.apply(this, args))
    }
  }
}

function wrapCommits(): void {
  const fromStore = createRequire(new URL('../../packages/state-store/package.json', import.meta.url))
  const prototype = (fromStore('better-sqlite3') as Any).prototype
  const prepare = prototype.prepare
  prototype.prepare = function (this: { name: string }, text: string) {
    const statement = prepare.call(this, text)
    const of = inside(this.name)
    if (of === null || text.trim().toLowerCase() !== 'commit') return statement
    return {
      reader: false,
      run: (parameters: Any) => aroundSync(`commit ${of}`, () => statement.run(parameters)),
    }
  }
}

/** Probes of the harness and of monitors are nobody's workflow, and neither are polls that brought nothing. */
function isWorkflow(request: http.IncomingMessage, status: number): boolean {
  if (request.headers['x-crash-ignore'] !== undefined || status === 204) return false
  return !/^\/(admin|healthz|readyz|metrics)/.test(request.url ?? '')
}

function wrapAnswers(): void {
  const prototype = http.ServerResponse.prototype as Any
  const end = prototype.end
  prototype.end = function (this: http.ServerResponse, ...args: Any[]) {
    const { req: request } = this
    if (!request || !isWorkflow(request, this.statusCode)) return end.apply(this, args)
    const done = enter(`answer ${request.method} ${shapeOf((request.url ?? '').split('?')[0]!)}`)
    if (done !== nothing) this.once('finish', done)
    return end.apply(this, args)
  }
}

/** Questions to other daemons; of the waiting poll only an answer that brings a set counts. */
function wrapQuestions(): void {
  const fromKit = createRequire(new URL('../../packages/agent-kit/package.json', import.meta.url))
  const undici = fromKit('undici') as Any
  const request = undici.request
  undici.request = async (url: Any, options: Any = {}) => {
    const { pathname } = new URL(String(url))
    const asked = `ask ${options.method ?? 'GET'} ${shapeOf(pathname)}`
    if (!pathname.endsWith('/desired')) return around(asked, () => request(url, options))
    const answer = await request(url, options)
    if (answer.statusCode === 200) enter(`${asked}: a set`)()
    return answer
  }
}

function wrapPrograms(): void {
  const { execFile, spawn } = childProcess
  const programs = childProcess as Any
  const noticed =
    (start: Any) =>
    (file: string, ...rest: Any[]) => {
      const done = enter(`run ${path.basename(file)}`)
      const child = start(file, ...rest)
      if (done !== nothing) child.once('exit', done)
      return child
    }
  programs.spawn = noticed(spawn)
  programs.execFile = noticed(execFile)
  const later = (execFile as Any)[promisify.custom]
  programs.execFile = (...args: Any[]) => (execFile as Any)(...args)
  programs.execFile[promisify.custom] = (file: string, ...rest: Any[]) =>
    around(`run ${path.basename(file)}`, () => later(file, ...rest))
}

wrapFiles()
await wrapHandles()
wrapCommits()
wrapAnswers()
wrapQuestions()
wrapPrograms()
syncBuiltinESMExports()
