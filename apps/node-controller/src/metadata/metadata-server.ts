import type { AddressInfo } from 'node:net'
import { buildMetadataApp, type MetadataAppOptions } from './metadata-app.ts'

export interface MetadataServer {
  /** Where it listens. */
  readonly address: { readonly host: string; readonly port: number }
  close(): Promise<void>
}

/** Connections at once, of all guests of a node together; the network bounds each guest's own. */
const connectionsMax = 2_048

/** Starts the metadata service; rejects where the address is not there or taken. */
export async function startMetadataServer(
  options: { host: string; port: number } & MetadataAppOptions,
): Promise<MetadataServer> {
  const { host, port, log } = options
  const app = buildMetadataApp(options)
  app.server.maxConnections = connectionsMax
  await app.listen({ host, port })
  const address = app.server.address() as AddressInfo
  log.info({ host, port: address.port }, 'the metadata service listens')
  return {
    address: { host, port: address.port },
    async close() {
      app.server.closeAllConnections()
      await app.close()
    },
  }
}
