import { CloudClient } from '@mallee/agent-kit'
import { createCertificateRequest, signCertificateRequest, type KeyAndCertificate } from '@mallee/pki'

/** Half of the agents of `bench held-polls`: each holds one poll, and asks again as the agents' loop does. */
interface Order {
  readonly authority: KeyAndCertificate
  readonly ids: readonly string[]
  readonly port: number
}

const firstBackOffMs = 200
const longestBackOffMs = 5_000

process.once('message', (order: Order) => void holdAll(order))

async function holdAll(order: Order): Promise<void> {
  const own = await createCertificateRequest('bench') // one key for all: making keys is not what is measured
  for (const id of order.ids) {
    const certificate = await signCertificateRequest({
      authority: order.authority,
      request: own.request,
      commonName: id,
      names: { uri: [`mallee://node/${id}`] },
      nowMs: Date.now(),
    })
    void hold(order, { key: own.key, certificate })
  }
}

async function hold({ authority, port }: Order, own: KeyAndCertificate): Promise<void> {
  const client = new CloudClient({
    url: `https://127.0.0.1:${port}`,
    authority: authority.certificate,
    key: own.key,
    certificate: own.certificate,
  })
  const never = new AbortController()
  let backOffMs = firstBackOffMs
  for (;;) {
    try {
      await client.desired(1, 60, never.signal)
      backOffMs = firstBackOffMs
    } catch {
      await new Promise((resolve) => setTimeout(resolve, backOffMs * (0.5 + Math.random() / 2)))
      backOffMs = Math.min(backOffMs * 2, longestBackOffMs)
    }
  }
}
