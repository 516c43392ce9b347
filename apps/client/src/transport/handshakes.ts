import { type FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import { type ClientHandshake, challengeReplySchema, PROTOCOL_VERSION, parseMessage } from '@fedsvd/core/protocol'
import { VERSION } from '../version.ts'
import { jsonBody, jsonRequest, refusalOf, requireNoRedirect, requireSameProtocol } from './http.ts'
import { certificateFault } from './tls.ts'
import type { Caller } from './transport.ts'

/** Proofs of identity, a new one for each connection: a nonce of the coordinator, signed with this node's key. */
export class Handshakes {
  readonly #url: URL
  readonly #caller: Caller
  readonly #signal: AbortSignal
  readonly #send: typeof fetch
  /** Why the last challenge was refused; undefined when it was not, or when nobody answered. */
  refusal: FedsvdError | undefined

  constructor(coordinator: string, caller: Caller, signal: AbortSignal, send: typeof fetch = fetch) {
    this.#url = new URL('/v1/challenge', coordinator)
    this.#caller = caller
    this.#signal = signal
    this.#send = send
  }

  /** Never rejects: without an answer it is an empty proof, and the connection then fails like its challenge. */
  async next(): Promise<ClientHandshake | Record<string, never>> {
    this.refusal = undefined
    try {
      const { clientId } = this.#caller
      const response = await this.#send(this.#url, {
        ...jsonRequest({ clientId }),
        signal: this.#signal,
        redirect: 'manual',
      })
      requireNoRedirect(this.#url, response)
      requireSameProtocol(response)
      if (!response.ok) throw await refusalOf(response)
      const { nonce, ledgerLength } = parseMessage(challengeReplySchema, await jsonBody(response), 'a challenge')
      return {
        protocolVersion: PROTOCOL_VERSION,
        clientId,
        nonce,
        signature: this.#caller.signChallenge(clientId, nonce),
        version: VERSION,
        instance: this.#caller.instance,
        ledger: this.#caller.ledgerHead(ledgerLength),
      }
    } catch (error) {
      this.refusal = isFedsvdError(error) ? error : certificateFault(error)
      return {}
    }
  }
}
