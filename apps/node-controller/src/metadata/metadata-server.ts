import type { Log } from '@mallee/base'
import type { DomainItem } from '@mallee/agent-contract'

export interface MetadataServer {
  close(): Promise<void>
}

export function startMetadataServer(_options: {
  host: string
  port: number
  /** The interface behind a source address, by its tap. */
  askerAt: (address: string) => string | null
  /** The domain item that has this interface. */
  itemOf: (interfaceId: string) => DomainItem | null
  log: Log
}): Promise<MetadataServer> {
  return Promise.reject(new Error('not built yet'))
}
