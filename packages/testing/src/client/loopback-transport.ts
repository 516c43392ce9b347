import { AwaitableValue } from '@fedsvd/client/platform'
import type { CoordinatorLink, LinkHandlers, Transport } from '@fedsvd/client/transport'
import { isFedsvdError } from '@fedsvd/core/errors'
import { PROTOCOL_VERSION } from '@fedsvd/core/protocol'
import type { CoordinatorDouble } from './coordinator-double.ts'

/** The way to a double in the same process. Messages are copied as the wire would copy them. */
export function loopbackTransport(double: CoordinatorDouble): Transport {
  const wire = <T>(message: T): T => JSON.parse(JSON.stringify(message)) as T
  return {
    coordinator: 'http://double.test',
    enrol: async (request) => wire(double.enrol(wire(request))),
    open: ({ clientId, signChallenge, ledgerHead }, handlers): CoordinatorLink => {
      const online = new AwaitableValue<string>()
      const connect = async (): Promise<void> => {
        const { nonce } = double.challenge({ clientId })
        const signature = await signChallenge(clientId, nonce)
        try {
          const ledger = await ledgerHead()
          double.authenticate({ protocolVersion: PROTOCOL_VERSION, clientId, nonce, signature, ledger })
        } catch (error) {
          handlers.onRefused(error as Error)
          return
        }
        online.set(double.sessionToken)
        handlers.onConnected('websocket')
        double.arrived(peerOf(clientId, handlers, wire, drop))
      }
      const drop = (): void => {
        online.clear()
        double.left()
        handlers.onDisconnected('dropped')
        queueMicrotask(() => void connect())
      }
      queueMicrotask(() => void connect())
      return {
        report: async (report, signal = new AbortController().signal) => {
          await online.value(signal)
          return wire(double.report(wire(report)))
        },
        fetchState: async (sha256, _bytes, signal) => {
          for (;;) {
            const token = await online.value(signal)
            try {
              return double.blob(sha256, token)
            } catch (error) {
              if (!isFedsvdError(error, 'TOKEN_INVALID')) throw error
              online.clear(token)
            }
          }
        },
        roundFailed: async (message) => double.roundFailed(wire(message)),
        upload: async ({ runId, round, uploadToken, frame }) => double.upload(runId, round, uploadToken, frame),
        [Symbol.asyncDispose]: async () => double.left(),
      }
    },
  }
}

function peerOf(clientId: string, handlers: LinkHandlers, wire: <T>(message: T) => T, drop: () => void) {
  return {
    clientId,
    offer: async (manifest: Parameters<LinkHandlers['onOffer']>[0]['manifest']) =>
      wire(await handlers.onOffer(wire({ manifest }))),
    invite: async (invitation: Parameters<LinkHandlers['onInvitation']>[0]) =>
      wire(await handlers.onInvitation(wire(invitation))),
    roundClosed: handlers.onRoundClosed,
    runPaused: handlers.onRunPaused,
    runEnded: handlers.onRunEnded,
    drop,
  }
}
