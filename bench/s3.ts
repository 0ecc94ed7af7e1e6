import { fork, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { presignRequest, signRequest } from '@mallee/aws-protocol'
import { editSqlite, readSqliteColumn } from '@mallee/state-store'
import { figureLine, figures, percentile, type Figures } from './figures.ts'
import { cpuSeconds } from './s3/cpu-seconds.ts'
import { bareFiles, ddRate, md5Rate } from './s3/limits.ts'
import { NginxProcess } from './s3/nginx-process.ts'
import type { PutOrder, PutResult } from './s3/put-client.ts'
import { WalrusProcess } from './s3/walrus-process.ts'
import { wrk } from './s3/wrk.ts'

const rounds = Number(process.env['MALLEE_ROUNDS'] ?? 5)
const seconds = Number(process.env['MALLEE_SECONDS'] ?? 3)
/** Only these chapters, where named. */
const chapters = (process.env['MALLEE_CHAPTERS'] ?? 'get,put,loop,workers,list,memory').split(',')
const connections = 16
const mebibyte = 1024 ** 2
const keys = 100_000

/**
 * Walrus in a process of its own over HTTP with signatures, against nginx on the same bytes, MD5, dd and bare files, each
 * in turn with walrus. Needs nginx and wrk, which `mallee setup` does not install.
 */
export async function s3Bench(): Promise<void> {
  const missing = ['nginx', 'wrk', 'dd'].filter((name) => spawnSync('which', [name]).status !== 0)
  if (missing.length > 0) {
    process.stderr.write(`bench s3 needs ${missing.join(' and ')}: apt-get install nginx wrk\n`)
    process.exitCode = 2
    return
  }
  const dir = mkdtempSync('/tmp/mallee-bench-')
  const workers = process.env['MALLEE_WORKERS']
  const more = workers === undefined ? {} : { workers: Number(workers) }
  const walrus = await WalrusProcess.prepare(path.join(dir, 'walrus'), more, process.env['MALLEE_PROFILE'])
  try {
    await walrus.start()
    await call(walrus, 'PUT', '/bench')
    if (chapters.includes('get')) await getChapter(dir, walrus)
    if (chapters.includes('put')) await putChapter(dir, walrus)
    if (chapters.includes('loop')) await loopChapter(walrus)
    if (chapters.includes('workers')) await workersChapter(dir)
    if (chapters.includes('list')) await listChapter(walrus)
    if (chapters.includes('memory')) await memoryChapter(dir, walrus)
  } finally {
    await walrus.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

async function getChapter(dir: string, walrus: WalrusProcess): Promise<void> {
  const nginx = await NginxProcess.start(dir)
  try {
    for (const [name, sizeBytes, count] of [
      ['4 KiB', 4096, 1000],
      ['1 MiB', mebibyte, 64],
    ] as const) {
      const prefix = `get-${sizeBytes}-`
      await put(walrus, { prefix, count, sizeBytes, connections: 4 })
      const names = Array.from({ length: count }, (_value, index) => `${prefix}${index}`)
      for (const file of names) writeFileSync(path.join(nginx.root, file), randomBytes(sizeBytes))
      const theirs = { port: nginx.port, paths: names.map((file) => `/${file}`), connections, seconds }
      const ours = {
        port: walrus.port,
        paths: names.map((file) => presigned(walrus, `/bench/${file}`)),
        connections,
        seconds,
      }
      const floor: number[] = []
      const found: number[] = []
      const perCpu: { nginx: number[]; walrus: number[] } = { nginx: [], walrus: [] }
      let last = { p50: 0, p99: 0 }
      const load = async (whose: 'nginx' | 'walrus') => {
        const [pid, options] = whose === 'nginx' ? [nginx.pid, theirs] : [walrus.pid, ours]
        const before = cpuSeconds(pid)
        const answered = await wrk(dir, options)
        perCpu[whose].push((answered.perSecond * seconds) / (cpuSeconds(pid) - before))
        return answered
      }
      for (let round = 0; round <= rounds; round += 1) {
        floor.push((await load('nginx')).perSecond)
        const answered = await load('walrus')
        found.push(answered.perSecond)
        last = answered
      }
      tell(`GET of ${name}, ${connections} connections`, 'a second', {
        ['nginx']: figures(floor.slice(1)),
        ['walrus']: figures(found.slice(1)),
      })
      tell('  the same, by processor time', 'a second of it', {
        ['nginx']: figures(perCpu.nginx.slice(1)),
        ['walrus']: figures(perCpu.walrus.slice(1)),
      })
      line(`  p50 ${last.p50.toFixed(1)} ms, p99 ${last.p99.toFixed(1)} ms`)
    }
  } finally {
    await nginx.stop()
  }
}

async function putChapter(dir: string, walrus: WalrusProcess): Promise<void> {
  for (const [name, mebibytes, count] of [
    ['1 MiB', 1, 40],
    ['64 MiB', 64, 6],
  ] as const) {
    const limit: number[] = []
    const found: number[] = []
    for (let round = 0; round <= rounds; round += 1) {
      const dd = figures(Array.from({ length: mebibytes === 1 ? 15 : 3 }, () => ddRate(dir, mebibytes)))
      limit.push(Math.min(md5Rate(), dd.median))
      const sizeBytes = mebibytes * mebibyte
      const result = await put(walrus, {
        prefix: `put-${name[0]}-${round}-`,
        count,
        sizeBytes,
        connections: 1,
      })
      found.push((mebibytes * count) / result.seconds)
    }
    tell(`PUT of ${name}, one after the other`, 'MiB/s', {
      ['the slower of MD5 and dd conv=fsync']: figures(limit.slice(1)),
      ['walrus']: figures(found.slice(1)),
    })
  }
  const floor: number[] = []
  const found: number[] = []
  let took: readonly number[] = []
  const count = 4000
  for (let round = 0; round <= rounds; round += 1) {
    floor.push(await bareFiles(dir, count, connections))
    const result = await put(walrus, { prefix: `small-${round}-`, count, sizeBytes: 4096, connections })
    found.push(count / result.seconds)
    took = result.took
  }
  tell(`PUT of 4 KiB, ${connections} connections`, 'a second', {
    ['write, fsync, rename and nothing else']: figures(floor.slice(1)),
    ['walrus']: figures(found.slice(1)),
  })
  line(`  p50 ${percentile(took, 0.5).toFixed(1)} ms, p99 ${percentile(took, 0.99).toFixed(1)} ms`)
}

async function loopChapter(walrus: WalrusProcess): Promise<void> {
  const rates: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const order = { count: 32, sizeBytes: 64 * mebibyte, connections: 16, prefix: 'loop-' }
    let seconds = 0
    const delay = await walrus.loopDelay(async () => {
      seconds = (await put(walrus, order)).seconds
    })
    rates.push((32 * 64) / seconds)
    const text = [delay.p50, delay.p99, delay.most].map((ms) => ms.toFixed(1))
    line(
      `16 PUTs of 64 MiB at once: event loop late by ${text[0]} ms (p50), ${text[1]} (p99), ${text[2]} (most)`,
    )
  }
  line(figureLine('  walrus', 'MiB/s', figures(rates)))
}

/** One process against two workers and the one that hands them connections, each in turn. */
async function workersChapter(dir: string): Promise<void> {
  const walruses = await Promise.all(
    [1, 2].map((workers) => WalrusProcess.prepare(path.join(dir, `workers-${workers}`), { workers })),
  )
  try {
    const found = walruses.map(() => ({ put: [] as number[], get: [] as number[], large: [] as number[] }))
    const count = 2000
    for (const walrus of walruses) {
      await walrus.start()
      await call(walrus, 'PUT', '/bench')
      await put(walrus, { prefix: 'large-', count: 32, sizeBytes: mebibyte, connections: 4 })
    }
    for (let round = 0; round <= rounds; round += 1) {
      for (const [index, walrus] of walruses.entries()) {
        const order = { prefix: `small-${round}-`, count, sizeBytes: 4096, connections }
        found[index]!.put.push(count / (await put(walrus, order)).seconds)
        for (const [of, names] of [
          ['get', Array.from({ length: count }, (_value, at) => `small-${round}-${at}`)],
          ['large', Array.from({ length: 32 }, (_value, at) => `large-${at}`)],
        ] as const) {
          const paths = names.map((name) => presigned(walrus, `/bench/${name}`))
          const load = await wrk(dir, { port: walrus.port, paths, connections, seconds })
          found[index]![of].push(load.perSecond)
        }
      }
    }
    for (const [name, of] of [
      ['PUT of 4 KiB', 'put'],
      ['GET of 4 KiB', 'get'],
      ['GET of 1 MiB', 'large'],
    ] as const) {
      const [one, two] = found.map((all) => figures(all[of].slice(1)))
      tell(`${name}, ${connections} connections`, 'a second', {
        ['one process']: one!,
        ['two workers']: two!,
      })
    }
  } finally {
    for (const walrus of walruses) await walrus.stop()
  }
}

async function listChapter(walrus: WalrusProcess): Promise<void> {
  await call(walrus, 'PUT', '/listed')
  await walrus.stop()
  const file = path.join(walrus.dir, 'data', 'index.db')
  editSqlite(file, [plantKeys])
  await walrus.start()
  const bare: number[] = []
  const whole: number[] = []
  const first: number[] = []
  for (let round = 0; round <= rounds; round += 1) {
    const began = performance.now()
    readSqliteColumn(file, `select key || etag || size from object where bucket = 'listed' order by key`)
    const scanned = performance.now()
    await call(walrus, 'GET', '/listed?list-type=2')
    const page = performance.now()
    if ((await listAll(walrus)) !== keys) throw new Error('keys are missing')
    bare.push(scanned - began)
    first.push(page - scanned)
    whole.push(performance.now() - page)
  }
  tell(`LIST of ${keys} keys`, 'ms', {
    ['rows read from the index and nothing else']: figures(bare.slice(1)),
    ['walrus']: figures(whole.slice(1)),
  })
  line(figureLine('  the first page of 1,000', 'ms', figures(first.slice(1))))
}

async function listAll(walrus: WalrusProcess): Promise<number> {
  let count = 0
  let token = ''
  do {
    const more = token === '' ? '' : `continuation-token=${encodeURIComponent(token)}&`
    const text = await call(walrus, 'GET', `/listed?${more}list-type=2`)
    count += Number(/<KeyCount>(\d+)/.exec(text)?.[1])
    token = /<NextContinuationToken>([^<]*)/.exec(text)?.[1] ?? ''
  } while (token !== '')
  return count
}

async function memoryChapter(dir: string, walrus: WalrusProcess): Promise<void> {
  await walrus.stop()
  await walrus.start()
  const idle = walrus.memory().now
  await put(walrus, { prefix: 'giant-', count: 1, sizeBytes: 1024 * mebibyte, connections: 1 })
  const most = (what: string) => {
    line(`memory ${what}: ${walrus.memory().peak.toFixed(0)} MiB at most (${idle.toFixed(0)} MiB at rest)`)
    walrus.resetPeak()
  }
  most('during one PUT of 1 GiB')
  const paths = [presigned(walrus, '/bench/giant-0')]
  const load = await wrk(dir, { port: walrus.port, paths, connections: 64, seconds: 10, cutOff: true })
  most(`during 64 GETs of one object of 1 GiB at ${load.mebibytesPerSecond.toFixed(0)} MiB/s`)
  const puts = await put(walrus, { prefix: 'many-', count: 64, sizeBytes: 64 * mebibyte, connections: 64 })
  most(`during 64 PUTs of 64 MiB at ${((64 * 64) / puts.seconds).toFixed(0)} MiB/s`)
}

function put(
  walrus: WalrusProcess,
  order: Omit<PutOrder, 'port' | 'credentials' | 'bucket'>,
): Promise<PutResult> {
  const client = fork(path.join(import.meta.dirname, 's3/put-client.ts'), [], { stdio: 'inherit' })
  client.send({ ...order, bucket: 'bench', port: walrus.port, credentials: walrus.credentials })
  return new Promise<PutResult>((resolve, reject) => {
    client.once('message', (result: PutResult & { error?: string }) => {
      client.kill()
      if (result.error === undefined) resolve(result)
      else reject(new Error(result.error))
    })
  })
}

const scopeOf = (walrus: WalrusProcess) => ({
  credentials: walrus.credentials,
  region: 'us-east-1',
  service: 's3',
  now: new Date(),
})

function presigned(walrus: WalrusProcess, rawPath: string): string {
  const request = { method: 'GET', rawPath, headers: { host: `127.0.0.1:${walrus.port}` } }
  return `${rawPath}?${presignRequest(request, { ...scopeOf(walrus), expiresSeconds: 86_400 })}`
}

async function call(walrus: WalrusProcess, method: string, target: string): Promise<string> {
  const [rawPath = '', rawQuery = ''] = target.split('?')
  const headers = { host: `127.0.0.1:${walrus.port}` }
  const signed = signRequest({ method, rawPath, rawQuery, headers }, scopeOf(walrus))
  const answer = await fetch(`http://${headers.host}${target}`, { method, headers: signed })
  const text = await answer.text()
  if (answer.status !== 200) throw new Error(text)
  return text
}

/** The first is what the others are held against. */
function tell(what: string, unit: string, found: Readonly<Record<string, Figures>>): void {
  line(what)
  const [floor, ...others] = Object.entries(found)
  line(figureLine(`  ${floor![0]}`, unit, floor![1]))
  for (const [name, of] of others) {
    line(figureLine(`  ${name}`, unit, of))
    line(`  ratio of medians: ${(of.median / floor![1].median).toFixed(2)}`)
  }
}

const line = (text: string) => void process.stdout.write(`${text}\n`)

const plantKeys = `with recursive n(i) as (select 0 union all select i + 1 from n where i < ${keys - 1})
  insert into object (bucket, key, id, size, etag, modified_at, headers, metadata)
  select 'listed', printf('photos/%06d/picture.jpeg', i), printf('planted%06d', i), 0, printf('%032x', i), 1700000000000 + i,
    '{}', '{}' from n`
