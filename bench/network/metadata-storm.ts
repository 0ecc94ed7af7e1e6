/**
 * As many guests as boot at once, each by an address of its own: a session, a question, again and again. Over bare
 * sockets, since an HTTP client would take more of the processors than the servers do.
 */
import { connect } from 'node:net'

const [port = 0, guests = 0, sessions = 0] = process.argv.slice(2).map(Number)
const words = (...lines: string[]) => `${lines.join('\r\n')}\r\n\r\n`
const tokenAsked = words(
  'PUT /latest/api/token HTTP/1.1',
  'host: 169.254.169.254',
  'x-aws-ec2-metadata-token-ttl-seconds: 60',
  'content-length: 0',
)
const nameAsked = (token: string) =>
  words(
    'GET /latest/meta-data/instance-id HTTP/1.1',
    'host: 169.254.169.254',
    `x-aws-ec2-metadata-token: ${token}`,
  )

function boot(index: number): Promise<void> {
  const from = `127.1.${Math.floor(index / 250)}.${1 + (index % 250)}`
  const socket = connect({ host: '127.0.0.1', port, localAddress: from, noDelay: true })
  return new Promise((resolve, reject) => {
    let left = sessions * 2
    let text = ''
    socket.setEncoding('latin1')
    socket.on('error', reject)
    socket.on('connect', () => socket.write(tokenAsked))
    socket.on('data', (chunk: string) => {
      text += chunk
      const body = text.indexOf('\r\n\r\n') + 4
      const length = /content-length: (\d+)/i.exec(text)?.[1]
      if (body < 4 || length === undefined || text.length < body + Number(length)) return
      const said = text.slice(body)
      if (!text.startsWith('HTTP/1.1 200')) return reject(new Error(text))
      text = ''
      left -= 1
      const named = left % 2 === 0
      if (named && !said.startsWith('i-eni-127.1.')) reject(new Error(`${from} was told ${said}`))
      if (left === 0) socket.end(() => resolve())
      else socket.write(named ? tokenAsked : nameAsked(said))
    })
  })
}

const began = performance.now()
await Promise.all(Array.from({ length: guests }, (_none, index) => boot(index)))
process.stdout.write(`${(guests * sessions * 2) / ((performance.now() - began) / 1000)}\n`)
