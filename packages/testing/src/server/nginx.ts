import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'
import { until } from './until.ts'

const run = promisify(execFile)

export interface NginxOptions {
  /** For its files. */
  readonly folder: string
  readonly certificate: { readonly cert: string; readonly key: string }
  /** What stands in `http`, and in its one server. */
  readonly http: string
  readonly server: string
}

/** nginx on loopback, with TLS. */
export interface Nginx extends AsyncDisposable {
  readonly port: number
  /** `METHOD /path STATUS` of each request so far. */
  readonly requests: () => readonly string[]
}

/** True where nginx is there; Debian keeps it outside of the usual path of users. */
export async function nginxAnswers(): Promise<boolean> {
  return await run('nginx', ['-v'], { env: environment() }).then(
    () => true,
    () => false,
  )
}

export async function startNginx({ folder, certificate, http, server }: NginxOptions): Promise<Nginx> {
  const port = await freePort()
  await mkdir(folder, { recursive: true })
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  )
  const log = path.join(folder, 'access.log')
  await writeFile(
    path.join(folder, 'nginx.conf'),
    `${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events {}
http {
  ${temporary.join(' ')}
  log_format plain '$request_method $uri $status';
  access_log ${log} plain;
  ${http}
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${certificate.cert};
    ssl_certificate_key ${certificate.key};
    ${server}
  }
}
`,
  )
  const child = spawn('nginx', ['-p', folder, '-c', path.join(folder, 'nginx.conf')], {
    env: environment(),
    stdio: 'ignore',
  })
  const ended = once(child, 'exit')
  await until('nginx to listen', async () => child.exitCode === null && (await listens(port)))
  return {
    port,
    requests: () => readFileSync(log, 'utf8').trim().split('\n'),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin` }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
