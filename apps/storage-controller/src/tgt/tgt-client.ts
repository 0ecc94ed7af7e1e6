import { createConnection } from 'node:net'
import { MalleeError } from '@mallee/base'
import { readTargets, type TgtTarget } from './read-targets.ts'
import type { Targets } from './target-daemon.ts'
import { decodeTgtAnswer, encodeTgtRequest, tgtAnswerText, type TgtRequest } from './tgt-request.ts'

/** Answers take a millisecond; a daemon that needs longer hangs. */
const callMs = 3_000

/** The target daemon did not answer, or is not there. */
export class TgtSilent extends MalleeError {
  constructor(message: string, cause?: unknown) {
    super({ code: 'TargetDaemonSilent', publicMessage: message, cause, retryable: true })
  }
}

export class TgtRefused extends MalleeError {
  constructor(request: TgtRequest, code: number) {
    const what = `${request.operation} ${request.mode}`
    super({
      code: 'TargetDaemonRefused',
      publicMessage: `The target daemon refused ${what}: ${tgtAnswerText(code)}.`,
    })
  }
}

/** tgt over its control socket: every call bounded, no program started, no password on any command line. */
export class TgtClient implements Targets {
  private readonly socketPath: string

  constructor(socketPath: string) {
    this.socketPath = socketPath
  }

  async targets(): Promise<TgtTarget[]> {
    return readTargets(await this.call({ mode: 'target', operation: 'show' }))
  }

  async accounts(): Promise<string[]> {
    const text = await this.call({ mode: 'account', operation: 'show' })
    return text
      .split('\n')
      .slice(1)
      .map((line) => line.trim())
      .filter((name) => name !== '')
  }

  /** One request on a connection of its own, as tgt wants it. Answers the text. */
  call(request: TgtRequest): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(this.socketPath)
      let received = Buffer.alloc(0)
      const finish = (end: () => void) => {
        clearTimeout(timer)
        socket.destroy()
        end()
      }
      const timer = setTimeout(
        () => finish(() => reject(new TgtSilent('The target daemon does not answer.'))),
        callMs,
      )
      const settle = () => {
        const answer = decodeTgtAnswer(received)
        if (!answer) return false
        finish(() =>
          answer.code === 0 ? resolve(answer.text) : reject(new TgtRefused(request, answer.code)),
        )
        return true
      }
      socket.on('error', (error) =>
        finish(() => reject(new TgtSilent('The target daemon is not there.', error))),
      )
      socket.on('data', (chunk) => {
        received = Buffer.concat([received, chunk])
        settle()
      })
      socket.on('close', () => {
        if (!settle()) finish(() => reject(new TgtSilent('The target daemon hung up.')))
      })
      socket.write(encodeTgtRequest(request))
    })
  }
}
