import { FedsvdError } from '@fedsvd/core/errors'
import { frameBytes, isRunActive, type UploadReply, updateSpecs } from '@fedsvd/core/protocol'
import type { Delivery, RunOwnership } from '../ownership/index.ts'
import { Semaphore } from '../platform/index.ts'
import { mostNoise } from '../privacy/index.ts'
import { earliestCounted, receiveUpdate, type UpdatePlace } from '../rounds/index.ts'
import { leaseLost } from '../storage/records/index.ts'
import type { ActiveRun } from './active-run.ts'
import { participantIn } from './participant.ts'
import type { RunRegistry } from './registry.ts'
import { countDelivery, remoteRound } from './remote-round.ts'
import type { RunParts } from './run-parts.ts'

const UPDATES_IN_MEMORY = 4

export interface UpdateIntakeParts extends Pick<RunParts, 'store' | 'blobs' | 'bounds' | 'alerts' | 'clock'> {
  readonly registry: RunRegistry
  readonly ownership: RunOwnership
  readonly active: ReadonlyMap<string, ActiveRun>
}

/** Where updates come in, for runs of this coordinator and of the others on its database. */
export class UpdateIntake {
  readonly #parts: UpdateIntakeParts
  readonly #inMemory = new Semaphore(UPDATES_IN_MEMORY)

  constructor(parts: UpdateIntakeParts) {
    this.#parts = parts
  }

  /**
   * How many bytes an update of a run has, and whether one of this round may still be counted. @throws FedsvdError
   * RUN_NOT_FOUND
   */
  async due({ runId, round }: Pick<Delivery, 'runId' | 'round'>) {
    const { manifest, current } = await this.#receiving(runId)
    const isOpen = current !== undefined && round >= earliestCounted(current.round, manifest)
    return { updateBytes: frameBytes(updateSpecs(manifest)), isOpen }
  }

  /** Takes in one update. @throws FedsvdError as `receiveUpdate` does, or RUN_NOT_FOUND */
  async receive(runId: string, place: UpdatePlace, stream: AsyncIterable<Uint8Array>): Promise<UploadReply> {
    const { store, blobs, bounds } = this.#parts
    const { run, record, manifest, current } = await this.#receiving(runId)
    const stored = current && current.round === place.round ? undefined : await store.rounds.find(runId, place.round)
    const terms = (run?.participants.find(place.clientId) ?? (await participantIn(store, runId, place.clientId)))?.terms
    return await receiveUpdate({
      manifest,
      place,
      stream,
      blobs,
      terms,
      // Terms were held against it when they were accepted; earlier releases accepted more.
      mostNoise: async () =>
        terms === undefined ? 0 : ((await mostNoise(manifest, terms, bounds)) ?? terms.noiseMultiplier),
      isPaused: record?.state === 'paused',
      current,
      stored,
      gate: this.#inMemory,
    })
  }

  /**
   * Counts an update that another coordinator took in. @throws FedsvdError as an upload does, LEASE_LOST unless it owns
   * the run
   */
  async deliver(delivery: Delivery): Promise<void> {
    const run = this.#parts.active.get(delivery.runId)
    if (run === undefined) throw leaseLost(delivery.runId)
    await countDelivery(run, delivery)
  }

  /**
   * Lets a client read the published states of the runs in which it takes part, and nothing else.
   *
   * @throws FedsvdError BLOB_NOT_FOUND
   */
  async requireReadable(clientId: string, sha256: string): Promise<void> {
    const { active, store } = this.#parts
    for (const run of active.values()) {
      if (run.rounds.current?.base.sha256 === sha256 && run.participants.find(clientId) !== undefined) return
    }
    if (await store.adapters.mayRead(clientId, sha256)) return
    throw new FedsvdError('BLOB_NOT_FOUND', {
      expected: 'the SHA-256 of a published state of a run that this client takes part in',
      got: sha256.slice(0, 80),
      remedy: 'Ask for the object that the last invitation named.',
    })
  }

  /** A run and its round under way, here or at the coordinator that owns it. */
  async #receiving(runId: string) {
    const { store, alerts, clock, active, registry, ownership } = this.#parts
    const run = active.get(runId)
    if (run !== undefined) return { run, manifest: run.settings.manifest, current: run.rounds.current }
    const record = await registry.find(runId)
    const parts = { store, alerts, clock, deliver: ownership.deliver }
    return {
      record,
      manifest: record.manifest,
      current: isRunActive(record.state) ? await remoteRound(record, parts) : undefined,
    }
  }
}
