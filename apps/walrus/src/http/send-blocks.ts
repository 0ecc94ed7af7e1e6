import type { FastifyReply } from 'fastify'
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** Bytes on their way to a client, block by block. */
export interface ObjectStream {
  readonly first: IteratorResult<Buffer, void>
  /** What follows it. A block is good until the next one is asked for. */
  readonly blocks: AsyncGenerator<Buffer, void, void>
  /** Called once, however it ends. */
  release(): void
}

/**
 * Sends bytes past fastify, which would look at them and at their type. The next block is asked for when the kernel has
 * taken this one, so that a client that reads slowly costs two blocks and not the object.
 */
export function sendBlocks(reply: FastifyReply, status: number, stream: ObjectStream): FastifyReply {
  try {
    writeHead(reply, status)
  } catch (error) {
    void stream.blocks.return().finally(() => stream.release())
    throw error
  }
  void pump(reply.raw, stream)
  return reply
}

export function sendBytes(reply: FastifyReply, status: number, bytes: Buffer): FastifyReply {
  writeHead(reply, status)
  reply.raw.end(bytes)
  return reply
}

/** Fastify is let go only when the head is out: what Node refuses in it is still an error that is answered. */
function writeHead(reply: FastifyReply, status: number): void {
  reply.raw.writeHead(status, reply.getHeaders() as OutgoingHttpHeaders)
  reply.hijack()
}

async function pump(response: ServerResponse, { first, blocks, release }: ObjectStream): Promise<void> {
  try {
    for (let next = first; !next.done; next = await blocks.next())
      if (!(await isTaken(response, next.value))) return
    response.end()
  } catch {
    response.destroy() // whoever gives the blocks has said why; a cut answer is no whole one
  } finally {
    await blocks.return().catch(() => {})
    release()
  }
}

/** False where the client went away. */
function isTaken(response: ServerResponse, block: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    const onClose = () => resolve(false)
    response.once('close', onClose)
    response.write(block, (error) => {
      response.off('close', onClose)
      resolve(!error)
    })
  })
}
