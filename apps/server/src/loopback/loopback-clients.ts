import { FedsvdError } from '@fedsvd/core/errors'
import type { ClientHandshake } from '@fedsvd/core/protocol'
import { type ClientNamespace, type ClientNamespaceParts, serveClients } from '../sockets/index.ts'
import { type LoopbackListener, LoopbackSocket } from './loopback-socket.ts'

type Admission = (socket: LoopbackSocket, next: (refusal?: Error & { data?: unknown }) => void) => void

/** Connections of clients in the same process, served by the code that serves those over the network. */
export function loopbackClients(parts: ClientNamespaceParts) {
  let admit: Admission = (_, next) => next()
  let begin: (socket: LoopbackSocket) => void = () => {}
  const namespace = {
    use: (admission: Admission) => {
      admit = admission
    },
    on: (_event: 'connection', listener: (socket: LoopbackSocket) => void) => {
      begin = listener
    },
  }
  serveClients(namespace as unknown as ClientNamespace, parts)
  return {
    /** Lets a client in whose handshake is signed. @throws FedsvdError the refusal that its peer over a network gets */
    connect: (handshake: ClientHandshake, listener: LoopbackListener): Promise<LoopbackSocket> => {
      const socket = new LoopbackSocket(handshake, listener)
      return new Promise((resolve, reject) => {
        admit(socket, (refusal) => {
          if (refusal !== undefined) {
            reject(FedsvdError.fromJSON(refusal.data))
            return
          }
          resolve(socket)
          setImmediate(() => begin(socket)) // when the client's end knows that it is connected
        })
      })
    },
  }
}
