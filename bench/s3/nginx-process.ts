import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import path from 'node:path'
import { freePort } from '@mallee/testkit'

/** nginx with one worker process and its access log, on the files below `dir/www`. */
export class NginxProcess {
  readonly root: string
  readonly port: number
  private readonly child: ChildProcess

  private constructor(root: string, port: number, child: ChildProcess) {
    this.root = root
    this.port = port
    this.child = child
  }

  static async start(dir: string): Promise<NginxProcess> {
    const root = path.join(dir, 'www')
    mkdirSync(root, { recursive: true })
    const port = await freePort()
    writeFileSync(path.join(dir, 'nginx.conf'), configuration(dir, root, port))
    const words = ['-c', path.join(dir, 'nginx.conf'), '-e', path.join(dir, 'nginx-error.log')]
    const child = spawn('nginx', words, { stdio: 'ignore' })
    await untilListening(port)
    return new NginxProcess(root, port, child)
  }

  get pid(): number {
    return this.child.pid!
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve))
    this.child.kill('SIGTERM')
    await ended
  }
}

const configuration = (dir: string, root: string, port: number) => `
daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 1024; }
http {
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  access_log ${dir}/nginx-access.log;
  client_body_temp_path ${dir}/nginx-body;
  proxy_temp_path ${dir}/nginx-proxy;
  fastcgi_temp_path ${dir}/nginx-fastcgi;
  uwsgi_temp_path ${dir}/nginx-uwsgi;
  scgi_temp_path ${dir}/nginx-scgi;
  server { listen 127.0.0.1:${port}; root ${root}; }
}
`

async function untilListening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const connected = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true))
      socket.once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (connected) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error('nginx did not start')
}
