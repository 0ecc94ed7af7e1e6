import { CloudUnderTest, type Credentials } from '../cloud-under-test.ts'
import { readAnswer, readError, walk } from './client-answers.ts'
import { sendAsClient } from './client-requests.ts'
import type { Step } from './command.ts'

/** A cloud as commands meet it, and what they have been told of it so far. */
export class ClientWorld {
  readonly cloud: CloudUnderTest
  readonly who: Credentials
  readonly things: Record<string, string> = {}

  constructor(cloud: CloudUnderTest, who: Credentials = cloud.admin) {
    this.cloud = cloud
    this.who = who
  }

  thing(name: string): string {
    const found = this.things[name]
    if (found === undefined) throw new Error(`No command has made a ${name} yet.`)
    return found
  }

  /** Sends one step's request and reads the answer as the command does. Throws where the command would break. */
  async play(step: Step, isFull = true): Promise<void> {
    const { action, refused } = step
    const request = { ...step, parameters: step.send?.(this) ?? {} }
    const response = await sendAsClient(this.cloud, request, this.who)
    if (refused) {
      const { code, message } = readError(response.body)
      if (response.statusCode < 400 || code !== refused[0] || !String(message).includes(refused[1]))
        throw new Error(`${action} is not refused as ${refused.join(': ')} but ${response.body}`)
      return
    }
    if (response.statusCode !== 200) throw new Error(`${action}: ${response.body}`)
    const answer = readAnswer(response.body, step.lists)
    const found = new Map((step.walks ?? []).map((path) => [path, walk(answer, path)]))
    if (!isFull) return
    for (const [path, texts] of found)
      if (texts.length === 0 && !path.includes('?'))
        throw new Error(`${action}: nothing at ${path} in ${response.body}`)
    for (const [path, text] of Object.entries(step.shows?.(this) ?? {}))
      if (!walk(answer, path).includes(text))
        throw new Error(`${action}: no ${text} at ${path} in ${response.body}`)
    step.keep?.(this, answer)
    await this.cloud.settled()
  }
}
