import { adminCall } from '../admin-client.ts'
import { AwsClient, adminCredentials } from '../cloud-client.ts'
import { adminSocket } from '../host/daemons.ts'
import type { Layout } from '../layout.ts'

/** What the commands about images work with: the public door as anyone's tools use it, and the administrator's. */
export interface ImageTools {
  readonly client: AwsClient
  readonly accountId: string
  admin<T>(method: 'GET' | 'POST', path: string, body?: unknown): Promise<T>
}

export async function imageTools(layout: Layout): Promise<ImageTools> {
  const credentials = await adminCredentials(layout)
  return {
    client: new AwsClient(layout, credentials),
    accountId: credentials.accountId,
    admin: (method, path, body) => adminCall(adminSocket(layout), method, path, body),
  }
}
