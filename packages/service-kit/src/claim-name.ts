import { createServer, type Server } from 'node:net'

/**
 * Claims a name for this process: a Unix socket in Linux' abstract namespace (unix(7)), which the kernel takes back at the
 * very moment the process ends, however it ends. Null where somebody holds the name. Closing the server gives it up; it
 * keeps no process alive.
 */
export function claimName(name: string): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(null) : reject(error),
    )
    server.listen(`\0${name}`, () => {
      server.unref()
      resolve(server)
    })
  })
}
