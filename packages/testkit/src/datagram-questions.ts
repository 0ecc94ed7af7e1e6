import { createSocket } from 'node:dgram'

/** What a guest asked by UDP, one question after the answer to the other, and how often no answer came. */
export interface AskedByUdp {
  readonly asked: number
  readonly lost: number
  /** Between the first question and the last answer. */
  readonly ms: number
}

/** Longer than any answer takes on a busy machine: a packet that is lost is never sent again, and never comes. */
const lostAfterMs = 5_000

/** Sends every datagram back to who sent it. */
export function listenForQuestions(port: number): Promise<void> {
  const socket = createSocket('udp4')
  socket.on('message', (text, from) => socket.send(text, from.port, from.address))
  return new Promise((resolve, reject) => {
    socket.on('error', reject)
    socket.bind(port, '0.0.0.0', () => resolve())
  })
}

/** Asks and asks: every packet of one flow is accounted for, both ways. */
export function startAsking(to: { address: string; port: number }): { stop(): Promise<AskedByUdp> } {
  const socket = createSocket('udp4')
  let asked = 0
  let lost = 0
  let stopping: ((result: AskedByUdp) => void) | null = null
  const began = performance.now()
  let timer: NodeJS.Timeout | undefined
  const ask = () => {
    if (stopping) {
      socket.close()
      return stopping({ asked, lost, ms: performance.now() - began })
    }
    asked += 1
    timer = setTimeout(() => {
      lost += 1
      ask()
    }, lostAfterMs)
    socket.send(String(asked), to.port, to.address)
  }
  socket.on('message', (text) => {
    if (text.toString() !== String(asked)) return
    clearTimeout(timer)
    ask()
  })
  socket.on('error', () => {}) // what the kernel refuses to send is lost
  ask()
  return { stop: () => new Promise((resolve) => (stopping = resolve)) }
}
