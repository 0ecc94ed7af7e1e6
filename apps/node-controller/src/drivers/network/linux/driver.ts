import type { Log } from '@mallee/base'
import type { NetworkDriver } from '../driver.ts'

export function openLinuxNetwork(_options: {
  uplink: string
  runDir: string
  publicPool: string
  log: Log
}): Promise<NetworkDriver> {
  return Promise.reject(new Error('not built yet'))
}
