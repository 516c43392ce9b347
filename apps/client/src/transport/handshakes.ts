import { type FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import { type ClientHandshake, challengeReplySchema, PROTOCOL_VERSION, parseMessage } from '@fedsvd/core/protocol'
import { VERSION } from '../version.ts'
import { endpoint } from './address.ts'
import { jsonBody, jsonRequest, request } from './http.ts'
import type { Route } from './route.ts'
import type { Caller } from './transport.ts'

/** Proofs of identity, a new one for each connection: a nonce of the coordinator, signed with this node's key. */
export class Handshakes {
  readonly #route: Route
  readonly #caller: Caller
  readonly #signal: AbortSignal
  /** Why the last challenge was refused; undefined when it was not, or when nobody answered. */
  refusal: FedsvdError | undefined

  constructor(route: Route, caller: Caller, signal: AbortSignal) {
    this.#route = route
    this.#caller = caller
    this.#signal = signal
  }

  /** Never rejects: without an answer it is an empty proof, and the connection then fails like its challenge. */
  async next(): Promise<ClientHandshake | Record<string, never>> {
    this.refusal = undefined
    try {
      const { clientId } = this.#caller
      const { nonce, ledgerLength } = await request(
        this.#route,
        {
          url: endpoint(this.#route.coordinator, '/v1/challenge'),
          init: jsonRequest({ clientId }),
          read: async (response) => parseMessage(challengeReplySchema, await jsonBody(response), 'a challenge'),
        },
        this.#signal,
      )
      const [signature, ledger] = await Promise.all([
        this.#caller.signChallenge(clientId, nonce),
        this.#caller.ledgerHead(ledgerLength),
      ])
      return {
        protocolVersion: PROTOCOL_VERSION,
        clientId,
        nonce,
        signature,
        version: VERSION,
        instance: this.#caller.instance,
        ledger,
      }
    } catch (error) {
      this.refusal = isFedsvdError(error) ? error : undefined
      return {}
    }
  }
}
