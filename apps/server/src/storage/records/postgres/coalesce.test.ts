import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { coalescing } from './coalesce.ts'

describe('looking up many keys at once', () => {
  it('asks once for what comes while it waits, and gives everybody their own value', async () => {
    const loads: number[][] = []
    const lookUp = coalescing(async (keys: readonly number[]) => {
      loads.push([...keys])
      return keys.map((key) => key * 10)
    })
    const first = [lookUp(1), lookUp(2)]
    await first[0]
    const later = [lookUp(3), lookUp(1)]
    expect(await Promise.all([...first, ...later])).toEqual([10, 20, 30, 10])
    expect(loads).toEqual([
      [1, 2],
      [3, 1],
    ])
  })

  it('starts after it was asked for: it sees what the caller has written', async () => {
    let stored = 'old'
    let release = (): void => {}
    const lookUp = coalescing(async (keys: readonly string[]) => {
      const seen = stored
      await new Promise<void>((resolve) => {
        release = resolve
      })
      return keys.map(() => seen)
    })
    const before = lookUp('a')
    await turn()
    stored = 'new'
    const after = lookUp('a')
    release()
    expect(await before).toBe('old')
    await turn()
    release()
    expect(await after).toBe('new')
  })

  it('fails those that were looked up together, and no others', async () => {
    let fails = true
    const lookUp = coalescing(async (keys: readonly string[]) => {
      if (fails) throw new Error('away')
      return keys
    })
    const together = await Promise.allSettled([lookUp('a'), lookUp('b')])
    expect(together.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    fails = false
    expect(await lookUp('c')).toBe('c')
  })

  it('cuts what one statement could not hold', async () => {
    const sizes: number[] = []
    const lookUp = coalescing(async (keys: readonly number[]) => {
      sizes.push(keys.length)
      return keys
    })
    const all = Array.from({ length: 2500 }, (_, key) => key)
    expect(await Promise.all(all.map(lookUp))).toEqual(all)
    expect(sizes).toEqual([1000, 1000, 500])
  })
})
