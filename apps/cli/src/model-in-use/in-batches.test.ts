import { describe, expect, it } from 'vitest'
import { inBatches } from './in-batches.ts'

async function all<T>(source: AsyncIterable<readonly T[]>): Promise<(readonly T[])[]> {
  const found: (readonly T[])[] = []
  for await (const batch of source) found.push(batch)
  return found
}

describe('batches of a source', () => {
  it('are full where the values are there', async () => {
    async function* source() {
      yield* [1, 2, 3, 4, 5]
    }
    expect(await all(inBatches(source(), 2))).toEqual([[1, 2], [3, 4], [5]])
    expect(await all(inBatches(source(), 10))).toEqual([[1, 2, 3, 4, 5]])
  })

  it('do not wait for values that are still to come', async () => {
    let release: () => void = () => {}
    const later = new Promise<void>((resolve) => {
      release = resolve
    })
    async function* source() {
      yield 1
      await later
      yield 2
    }
    const batches = inBatches(source(), 10)
    expect((await batches.next()).value).toEqual([1])
    release()
    expect((await batches.next()).value).toEqual([2])
    expect((await batches.next()).done).toBe(true)
  })

  it('end with the fault of the source, behind what came before it', async () => {
    async function* source() {
      yield 1
      throw new Error('broken')
    }
    const batches = inBatches(source(), 10)
    const first = await batches.next().catch((error: Error) => error.message)
    if (typeof first !== 'string') {
      expect(first.value).toEqual([1])
      await expect(batches.next()).rejects.toThrow('broken')
    } else expect(first).toBe('broken')
  })

  it('of nothing are none', async () => {
    async function* source(): AsyncGenerator<number> {}
    expect(await all(inBatches(source(), 3))).toEqual([])
  })
})
