import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BlobStore } from './blob-store.ts'
import { collectGarbage } from './collect-garbage.ts'
import { type HeldBlobs, holdingBlobs, stage } from './held-blobs.ts'
import { memoryBlobs } from './memory-blobs.ts'

const GRACE_MS = 1000
/** Few contents, so that what is collected is written again all the time. */
const CONTENTS = [0, 1, 2].map((byte) => Uint8Array.of(byte))
const NAMES = CONTENTS.map((bytes) => createHash('sha256').update(bytes).digest('hex'))

/** What one part of the coordinator does; parts run at the same time, in whatever order the scheduler chooses. */
type Step =
  | { readonly type: 'write'; readonly content: number }
  | { readonly type: 'forget'; readonly content: number }
  | { readonly type: 'collect' }
  | { readonly type: 'wait'; readonly milliseconds: number }
  | { readonly type: 'crash' }

const content = fc.nat(CONTENTS.length - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: content.map((index): Step => ({ type: 'write', content: index })) },
  { weight: 3, arbitrary: content.map((index): Step => ({ type: 'forget', content: index })) },
  { weight: 4, arbitrary: fc.constant<Step>({ type: 'collect' }) },
  {
    weight: 3,
    arbitrary: fc.integer({ min: 1, max: 3 * GRACE_MS }).map((ms): Step => ({ type: 'wait', milliseconds: ms })),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ type: 'crash' }) },
)

/** A coordinator on a store whose every access is a point at which anything else may happen. */
class World {
  now = 1_000_000
  faults: string[] = []
  removed = 0
  readonly #objects = new Map<string, Uint8Array>()
  readonly #references = new Set<string>()
  readonly #inner: BlobStore
  readonly #turn: () => Promise<void>
  #life = 0
  #blobs: HeldBlobs

  constructor(turn: () => Promise<void>, protect: (blobs: HeldBlobs) => HeldBlobs) {
    this.#turn = turn
    const plain = memoryBlobs(this.#objects, () => this.now)
    this.#inner = this.#interruptible(plain)
    this.#start = () => protect(holdingBlobs(this.#inner, { now: () => this.now, graceMs: GRACE_MS }))
    this.#blobs = this.#start()
  }

  readonly #start: () => HeldBlobs

  async run(steps: readonly Step[]): Promise<void> {
    for (const one of steps) {
      await this.#turn()
      await this.#take(one)
    }
  }

  async #take(one: Step): Promise<void> {
    if (one.type === 'wait') this.now += one.milliseconds
    else if (one.type === 'forget') this.#references.delete(NAMES[one.content]!)
    else if (one.type === 'collect') await this.#collect()
    else if (one.type === 'write') await this.#write(one.content)
    else {
      // Whatever was under way never goes on; what is held in memory is forgotten.
      this.#life += 1
      this.#blobs = this.#start()
    }
  }

  /** As an update or a state is: kept, and only then referred to by a row. */
  async #write(index: number): Promise<void> {
    const life = this.#life
    await using blob = await stage(this.#blobs, CONTENTS[index]!)
    await blob.keep()
    await this.#turn() // the row is being stored
    if (life !== this.#life) return
    this.#references.add(blob.sha256)
    this.#check('referred to')
  }

  async #collect(): Promise<void> {
    const life = this.#life
    const referenced = async (names: readonly string[]): Promise<ReadonlySet<string>> => {
      await this.#turn()
      const found = new Set(names.filter((name) => this.#references.has(name)))
      await this.#turn()
      if (life !== this.#life) throw new Error('dead')
      return found
    }
    const parts = { blobs: this.#blobs, referenced, now: () => this.now, graceMs: GRACE_MS }
    await collectGarbage(parts).catch(() => {})
  }

  #check(when: string): void {
    for (const name of this.#references)
      if (!this.#objects.has(name)) this.faults.push(`${name} is missing when ${when}`)
  }

  /** A process that died meanwhile has no further effect. */
  #interruptible(plain: BlobStore): BlobStore {
    const alive = async (life: number): Promise<void> => {
      await this.#turn()
      if (life !== this.#life) throw new Error('dead')
    }
    return {
      ...plain,
      receive: async (stream, maxBytes) => {
        const life = this.#life
        const pending = await plain.receive(stream, maxBytes)
        return {
          ...pending,
          keep: async () => {
            await alive(life)
            await pending.keep()
            await this.#turn()
          },
          [Symbol.asyncDispose]: async () => {},
        }
      },
      remove: async (name) => {
        await alive(this.#life)
        await plain.remove(name)
        this.removed += 1
        this.#check('removed')
        await this.#turn()
      },
    }
  }
}

async function faultsOf(
  scheduler: fc.Scheduler,
  scripts: readonly (readonly Step[])[],
  protect: (blobs: HeldBlobs) => HeldBlobs = (blobs) => blobs,
): Promise<World> {
  const world = new World(() => scheduler.schedule(Promise.resolve()), protect)
  const all = Promise.all(scripts.map((script) => world.run(script).catch(ignoreDeath)))
  await scheduler.waitFor(all)
  return world
}

function ignoreDeath(error: unknown): void {
  if (!(error instanceof Error && error.message === 'dead')) throw error
}

const scripts = fc.array(fc.array(step, { minLength: 1, maxLength: 12 }), { minLength: 2, maxLength: 4 })

describe('the collection of garbage', () => {
  it('never removes what something refers to, however writes, references, crashes and collections interleave', async () => {
    let removed = 0
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), scripts, async (scheduler, given) => {
        const world = await faultsOf(scheduler, given)
        removed += world.removed
        expect(world.faults).toEqual([])
      }),
      { numRuns: 1000, seed: 20_261_125 },
    )
    expect(removed).toBeGreaterThan(200) // it does remove
  })

  it.each<[string, (blobs: HeldBlobs) => HeldBlobs]>([
    ['holding', (blobs) => ({ ...blobs, isHeld: () => false, removeUnless: withoutHolding(blobs) })],
    ['asking again', (blobs) => ({ ...blobs, removeUnless: (name) => blobs.removeUnless(name, async () => false) })],
  ])('would be found out without %s', async (_, protect) => {
    const outcome = await fc.check(
      fc.asyncProperty(fc.scheduler(), scripts, async (scheduler, given) => {
        expect((await faultsOf(scheduler, given, protect)).faults).toEqual([])
      }),
      { numRuns: 5000, seed: 20_261_125, endOnFailure: true },
    )
    expect(outcome.failed).toBe(true)
  })

  it('leaves what is new, and removes what is old and not referred to', async () => {
    let now = 0
    const blobs = holdingBlobs(
      memoryBlobs(new Map(), () => now),
      { now: () => now, graceMs: GRACE_MS },
    )
    for (const bytes of CONTENTS) await blobs.put(bytes)
    const referenced = async (names: readonly string[]) => new Set(names.filter((name) => name === NAMES[1]))
    const collect = () => collectGarbage({ blobs, referenced, now: () => now, graceMs: GRACE_MS })
    now = GRACE_MS - 1
    expect(await collect()).toEqual({ removed: 0, removedBytes: 0, kept: 3 })
    now = GRACE_MS
    expect(await collect()).toEqual({ removed: 2, removedBytes: 2, kept: 1 })
    await expect(blobs.read(NAMES[0]!)).rejects.toThrow(/BLOB_NOT_FOUND/)
    expect(await blobs.read(NAMES[1]!)).toEqual(CONTENTS[1])
  })

  it('holds a kept object until its holder releases it, at any time of the clock', async () => {
    let now = 0
    const blobs = holdingBlobs(
      memoryBlobs(new Map(), () => now),
      { now: () => now, graceMs: GRACE_MS },
    )
    const collect = () =>
      collectGarbage({ blobs, referenced: async () => new Set(), now: () => now, graceMs: GRACE_MS })
    const blob = await stage(blobs, CONTENTS[0]!)
    await blob.keep()
    now = 1000 * GRACE_MS
    expect((await collect()).kept).toBe(1)
    await blob[Symbol.asyncDispose]()
    expect((await collect()).removed).toBe(1)
  })
})

/** Removes at once, and does not block writers meanwhile. */
function withoutHolding(blobs: HeldBlobs): HeldBlobs['removeUnless'] {
  return async (name, isNeeded) => {
    if (await isNeeded()) return false
    await blobs.remove(name)
    return true
  }
}
