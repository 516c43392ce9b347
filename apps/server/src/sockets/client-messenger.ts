import { invitationReplySchema, offerReplySchema, parseMessage } from '@fedsvd/core/protocol'
import type { Logger } from 'pino'
import type { z } from 'zod'
import type { ClientGateway } from '../rounds/index.ts'
import type { LocalConnections, Notice, Question } from './local-connections.ts'

/** The clients that are connected to other coordinators, and the way to them. */
export interface RemoteCoordinators {
  isConnected(clientId: string): boolean
  /** The reply of the client; undefined when it is away, goes away, or stays silent. */
  ask(clientId: string, event: Question, message: unknown): Promise<unknown>
  tell(clientId: string, notice: Notice): void
  /** True when another process of this identity than `instance` is connected and answers. */
  isTaken(clientId: string, instance: string): Promise<boolean>
}

/** How runs speak to their clients, wherever these are connected. */
export class ClientMessenger implements ClientGateway {
  readonly #local: LocalConnections
  readonly #elsewhere: RemoteCoordinators | undefined
  readonly #log: Logger

  constructor(local: LocalConnections, elsewhere: RemoteCoordinators | undefined, log: Logger) {
    this.#local = local
    this.#elsewhere = elsewhere
    this.#log = log
  }

  isConnected(clientId: string): boolean {
    return this.#local.has(clientId) || (this.#elsewhere?.isConnected(clientId) ?? false)
  }

  /**
   * True when another process of this identity is connected, here or to another coordinator, and answers: two hosts
   * have one state.
   */
  async isTaken(clientId: string, instance: string | undefined): Promise<boolean> {
    if (instance === undefined) return false
    if (await this.#local.isTaken(clientId, instance)) return true
    return (await this.#elsewhere?.isTaken(clientId, instance)) ?? false
  }

  offer: ClientGateway['offer'] = async (clientId, message) =>
    this.#parse(offerReplySchema, await this.#ask(clientId, 'offer', message), clientId)

  invite: ClientGateway['invite'] = async (clientId, message) =>
    this.#parse(invitationReplySchema, await this.#ask(clientId, 'invite', message), clientId)

  roundClosed: ClientGateway['roundClosed'] = (clientId, message) =>
    this.#tell(clientId, { event: 'round-closed', message })

  runPaused: ClientGateway['runPaused'] = (clientId, message) => this.#tell(clientId, { event: 'run-paused', message })

  runEnded: ClientGateway['runEnded'] = (clientId, message) => this.#tell(clientId, { event: 'run-ended', message })

  #ask(clientId: string, event: Question, message: unknown): Promise<unknown> {
    if (this.#local.has(clientId) || this.#elsewhere === undefined) return this.#local.ask(clientId, event, message)
    return this.#elsewhere.ask(clientId, event, message)
  }

  #tell(clientId: string, notice: Notice): void {
    if (!this.#local.tell(clientId, notice)) this.#elsewhere?.tell(clientId, notice)
  }

  /** Undefined when there is no valid answer. */
  #parse<T>(schema: z.ZodType<T>, reply: unknown, clientId: string): T | undefined {
    if (reply === undefined || reply === null) return undefined
    try {
      return parseMessage(schema, reply, 'a reply')
    } catch (error) {
      this.#log.warn({ err: error, clientId }, 'the reply of the client is invalid')
      return undefined
    }
  }
}
