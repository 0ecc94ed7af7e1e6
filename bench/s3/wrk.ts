import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'

export interface Load {
  readonly perSecond: number
  readonly mebibytesPerSecond: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
}

const script = `
local paths, at = {}, 0
init = function(args)
  for line in io.lines(os.getenv('BENCH_PATHS')) do paths[#paths + 1] = wrk.format('GET', line) end
end
request = function() at = at % #paths + 1; return paths[at] end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('RESULT %d %d %d %d %d %d\\n', summary.requests, summary.duration, summary.bytes,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
`

/** Asks for the paths in turn, one thread, and answers what came; throws where anything but a success came. */
export async function wrk(
  dir: string,
  options: { port: number; paths: readonly string[]; connections: number; seconds: number; cutOff?: boolean },
): Promise<Load> {
  const names = { script: path.join(dir, 'wrk.lua'), paths: path.join(dir, 'wrk-paths') }
  writeFileSync(names.script, script)
  writeFileSync(names.paths, `${options.paths.join('\n')}\n`)
  const { port, connections, seconds } = options
  const words = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '60s', '-s', names.script]
  const child = spawn('wrk', [...words, `http://127.0.0.1:${port}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, BENCH_PATHS: names.paths },
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (text += String(chunk)))
  await new Promise((resolve) => child.once('close', resolve))
  const numbers = /RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)/.exec(text)?.slice(1).map(Number)
  const [requests, duration, bytes, p50, p99, errors] = numbers ?? []
  if (errors !== 0 && !options.cutOff) throw new Error(`wrk: ${text}`)
  const took = duration! / 1e6
  return {
    perSecond: requests! / took,
    mebibytesPerSecond: bytes! / took / 1024 ** 2,
    p50: p50! / 1000,
    p99: p99! / 1000,
  }
}
