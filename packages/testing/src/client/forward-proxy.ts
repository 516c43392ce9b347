import { Server } from 'proxy-chain'

/** A forward proxy on loopback. */
export interface ForwardProxyDouble extends AsyncDisposable {
  readonly port: number
  /** `host:port` of every request and tunnel that was asked for. */
  readonly asked: string[]
}

/** @param credentials `name:password` that it wants, if any */
export async function forwardProxy(credentials?: string): Promise<ForwardProxyDouble> {
  const asked: string[] = []
  const server = new Server({
    host: '127.0.0.1',
    port: 0,
    prepareRequestFunction: ({ hostname, port, username, password }) => {
      asked.push(`${hostname}:${port}`)
      return { requestAuthentication: credentials !== undefined && credentials !== `${username}:${password}` }
    },
  })
  await server.listen()
  return { port: server.port, asked, [Symbol.asyncDispose]: () => server.close(true) }
}
