import { describe, expect, it } from 'vitest'
import type { RunManifest } from './manifest.ts'
import { acceptsStaleUpdates, bufferOf, MANIFEST_DEFAULTS, resolveManifest } from './resolve-manifest.ts'

const buffered = { name: 'buffered', bufferSize: 4, stalenessExponent: 0.5 } as const

describe('a manifest that is read', () => {
  it('has nothing left out that has a default', () => {
    expect(resolveManifest({})).toEqual({
      task: 'sequence-classification',
      initialiser: 'orthonormal',
      aggregation: { name: 'mean' },
      mode: { name: 'synchronous' },
      lateUpdates: 'reject',
      maxStaleness: 20,
      overSelection: 1,
      maxNoiseRatio: 10,
      unit: { kind: 'record', maxRecords: 1, combine: 'mean' },
      model: { featureScale: 1 },
    })
  })

  it('keeps what it says itself', () => {
    const said = {
      runId: 'one',
      task: 'causal-lm',
      initialiser: 'kaiming',
      aggregation: { name: 'krum', byzantine: 1 },
      mode: { name: 'synchronous' },
      lateUpdates: 'rebase',
      maxStaleness: 3,
      overSelection: 1.5,
      maxNoiseRatio: 2,
      unit: { kind: 'person', maxRecords: 4, combine: 'sum' },
      model: { name: 'tiny', maxTokens: 16, featureScale: 10 },
    } as const
    expect(resolveManifest(said)).toEqual(said)
  })

  it('is not changed: what is stored and hashed is what was written', () => {
    const manifest = Object.freeze({ name: 'run', model: Object.freeze({ name: 'tiny', maxTokens: 16 }) })
    const before = JSON.stringify(manifest)
    expect(resolveManifest(manifest).model).toEqual({ name: 'tiny', maxTokens: 16, featureScale: 1 })
    expect(JSON.stringify(manifest)).toBe(before)
  })

  it('is resolved already when it has been resolved once', () => {
    const once = resolveManifest({ mode: buffered })
    expect(resolveManifest(once)).toEqual(once)
  })

  it('counts late updates where it says so, and in every buffered run', () => {
    const counts = (manifest: Pick<RunManifest, 'mode' | 'lateUpdates'>) => acceptsStaleUpdates(manifest)
    expect([{}, { lateUpdates: 'reject' }, { lateUpdates: 'rebase' }, { mode: buffered }].map(counts as never)).toEqual(
      [false, false, true, true],
    )
    expect(bufferOf({ mode: buffered })).toBe(buffered)
    expect(bufferOf({ mode: MANIFEST_DEFAULTS.mode })).toBeUndefined()
  })
})
