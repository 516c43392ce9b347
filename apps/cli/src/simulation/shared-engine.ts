import { createHash } from 'node:crypto'
import { type AdapterState, trainedSpecs } from '@fedsvd/core/lora'
import type { GradientPart } from '@fedsvd/core/privacy'
import {
  type BatchShape,
  type EncodedRecord,
  type GradientSource,
  type PrivateEngine,
  paddedLength,
  sumOfLot,
} from '@fedsvd/engine/training'

/**
 * Lots of so many sites are computed at a time: enough to fill micro-batches, and few enough for their gradients to fit
 * into memory.
 */
const MOST_LOTS = 16
/** So long a lot that was announced is waited for. One that never comes costs this once, and changes no result. */
const PATIENCE_MS = 250

/** A record that waits for its micro-batch. */
interface Waiting {
  readonly record: EncodedRecord
  readonly resolve: (gradient: readonly GradientPart[]) => void
  readonly reject: (error: unknown) => void
}

/** Records of one shape under one state. */
interface Group {
  readonly state: AdapterState
  readonly rows: number
  readonly waiting: Waiting[]
}

/**
 * One engine for all sites of a simulation. A record's gradient does not depend on what is in its micro-batch, bit for
 * bit, so lots of different sites may share them: a site with a lot of five records would fill a micro-batch of sixteen
 * with blank rows, which cost as much as records. Each lot is still clipped and added up by itself, by the code of a
 * live site.
 *
 * Closing it leaves the engine open.
 */
export function sharedEngine(engine: PrivateEngine): PrivateEngine {
  const specs = trainedSpecs(engine.schema)
  const batches = new SharedBatches(engine)
  return {
    schema: engine.schema,
    verify: async () => batches.announce(), // asked at the beginning of a round, whose lot follows
    rowsFor: (record) => engine.rowsFor(record),
    recordGradients: (records, state) => engine.recordGradients(records, state),
    clippedLotSum: async (lot, state, clipNorm, options) =>
      await batches.during(async () => {
        const key = keyOf(state)
        const source: GradientSource<EncodedRecord> = {
          accepted: (record) => record,
          shapeOf: (record) => shapeOf(engine, record),
          gradients: async (records, shape) => await batches.gradients(records, shape, { key, state }),
        }
        return await sumOfLot(lot, { specs, clipNorm }, source, options)
      }),
    [Symbol.asyncDispose]: async () => {},
  }
}

function shapeOf(engine: PrivateEngine, record: EncodedRecord): BatchShape {
  const places = (count: number): number => paddedLength(count, Number.POSITIVE_INFINITY)
  const targets = 'targets' in record ? places(record.targets.filter((target) => target >= 0).length) : 0
  return { rows: engine.rowsFor(record), length: places(record.tokenIds.length), targets }
}

/** Two sites have read the same published state from bytes of their own. */
function keyOf({ a, b, head }: AdapterState): string {
  const hash = createHash('sha256')
  for (const { data } of [...a, ...b, ...head])
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  return hash.digest('hex')
}

/** Fills micro-batches from the lots that are under way. */
class SharedBatches {
  readonly #engine: PrivateEngine
  readonly #groups = new Map<string, Group>()
  readonly #queue: (() => void)[] = []
  /** Lots under way, and those among them that wait for gradients. */
  #lots = 0
  #blocked = 0
  /** Micro-batches that are being computed. */
  #computing = 0
  /** Lots that are on their way. */
  #announced = 0
  #waiting: NodeJS.Timeout | undefined

  constructor(engine: PrivateEngine) {
    this.#engine = engine
  }

  /** A site has begun a round. */
  announce(): void {
    this.#announced += 1
  }

  /** Computes one lot, when there is room for another. */
  async during<T>(lot: () => Promise<T>): Promise<T> {
    this.#announced = Math.max(0, this.#announced - 1)
    clearTimeout(this.#waiting)
    if (this.#lots === MOST_LOTS) await new Promise<void>((resolve) => this.#queue.push(resolve))
    else this.#lots += 1
    try {
      return await lot()
    } finally {
      const next = this.#queue.shift() // takes the place of this one
      if (next === undefined) this.#lots -= 1
      else next()
      this.#flushIfStuck()
    }
  }

  async gradients(
    records: readonly EncodedRecord[],
    { rows, length, targets }: BatchShape,
    { key, state }: { readonly key: string; readonly state: AdapterState },
  ): Promise<readonly (readonly GradientPart[])[]> {
    const name = `${key} ${rows} ${length} ${targets}`
    const group = this.#groups.get(name) ?? { state, rows, waiting: [] }
    this.#groups.set(name, group)
    const found = Promise.all(
      records.map(
        (record) =>
          new Promise<readonly GradientPart[]>((resolve, reject) => {
            group.waiting.push({ record, resolve, reject })
          }),
      ),
    )
    this.#blocked += 1
    while (group.waiting.length >= rows) this.#compute(name, group)
    this.#flushIfStuck()
    try {
      return await found
    } finally {
      this.#blocked -= 1
    }
  }

  /** Where every lot waits, and none is to come, no micro-batch gets fuller: the fullest is computed as it is. */
  #flushIfStuck(): void {
    if (this.#blocked < this.#lots || this.#computing > 0) return
    clearTimeout(this.#waiting)
    if (this.#announced > 0 && this.#lots < MOST_LOTS) {
      this.#waiting = setTimeout(() => {
        this.#announced = 0
        this.#flushIfStuck()
      }, PATIENCE_MS)
      return
    }
    const [fullest] = [...this.#groups].sort(
      ([, left], [, right]) => right.waiting.length / right.rows - left.waiting.length / left.rows,
    )
    if (fullest !== undefined) this.#compute(...fullest)
  }

  #compute(name: string, group: Group): void {
    const batch = group.waiting.splice(0, group.rows)
    if (group.waiting.length === 0) this.#groups.delete(name)
    this.#computing += 1
    this.#computeTogether(batch, group.state)
      // What a record does to the model is no business of the sites whose records were beside it.
      .catch(() => this.#computeAlone(batch, group.state))
      .finally(() => {
        this.#computing -= 1
        setImmediate(() => this.#flushIfStuck()) // by then the lots that have all they waited for go on
      })
  }

  async #computeTogether(batch: readonly Waiting[], state: AdapterState): Promise<void> {
    const records = batch.map(({ record }) => record)
    const found = await this.#engine.recordGradients(records, state)
    for (const [index, { resolve }] of batch.entries()) resolve(found[index]!.gradient)
  }

  async #computeAlone(batch: readonly Waiting[], state: AdapterState): Promise<void> {
    for (const waiting of batch) await this.#computeTogether([waiting], state).catch(waiting.reject)
  }
}
