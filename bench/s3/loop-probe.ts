/** Loaded into walrus by `--import`: tells who runs it how long its event loop kept others waiting. */
import { monitorEventLoopDelay } from 'node:perf_hooks'

export interface LoopDelay {
  /** In milliseconds, beyond the resolution of one. */
  readonly p50: number
  readonly p99: number
  readonly most: number
}

const resolutionMs = 1
const delay = monitorEventLoopDelay({ resolution: resolutionMs })
const beyond = (nanoseconds: number) => Math.max(nanoseconds / 1e6 - resolutionMs, 0)

process.on('message', (asked) => {
  if (asked === 'loop-begin') {
    delay.enable()
    delay.reset()
  }
  if (asked !== 'loop-end') return
  delay.disable()
  const [p50, p99, most] = [delay.percentile(50), delay.percentile(99), delay.max].map(beyond)
  process.send?.({ loop: { p50, p99, most } })
})
