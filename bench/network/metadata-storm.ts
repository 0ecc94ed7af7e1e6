/** As many guests as boot at once, each by an address of its own: a session, a question, again and again. */
import { Agent, request } from 'node:http'

const [port = 0, guests = 0, sessions = 0] = process.argv.slice(2).map(Number)

function ask(agent: Agent, from: string, method: string, path: string, headers: Record<string, string>) {
  return new Promise<string>((resolve, reject) => {
    const options = { host: '127.0.0.1', port, localAddress: from, method, path, headers, agent }
    const asked = request(options, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => (text += chunk))
      answer.on('end', () => (answer.statusCode === 200 ? resolve(text) : reject(new Error(text))))
    })
    asked.on('error', reject)
    asked.end()
  })
}

async function boot(index: number): Promise<void> {
  const from = `127.1.${Math.floor(index / 250)}.${1 + (index % 250)}`
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (let session = 0; session < sessions; session += 1) {
    const ttl = { 'x-aws-ec2-metadata-token-ttl-seconds': '60' }
    const token = await ask(agent, from, 'PUT', '/latest/api/token', ttl)
    const said = await ask(agent, from, 'GET', '/latest/meta-data/instance-id', {
      'x-aws-ec2-metadata-token': token,
    })
    if (!said.startsWith('i-eni-127.1.')) throw new Error(`${from} was told ${said}`)
  }
  agent.destroy()
}

const began = performance.now()
await Promise.all(Array.from({ length: guests }, (_none, index) => boot(index)))
process.stdout.write(`${(guests * sessions * 2) / ((performance.now() - began) / 1000)}\n`)
