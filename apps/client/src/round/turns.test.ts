import { initialState, tensorsOfState } from '@fedsvd/core/lora'
import { encodeFrame, NO_CLIENT } from '@fedsvd/core/protocol'
import type { RandomSource } from '@fedsvd/core/random'
import { osRandomness } from '@fedsvd/engine/crypto'
import { recordsInMemory } from '@fedsvd/engine/datasets'
import { fakeEngine } from '@fedsvd/testing/client/fake-engine'
import { BUDGET, FINGERPRINT, perStep, RUN_A, sampleBound, sampleManifest } from '@fedsvd/testing/client/sample-run'
import { temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { describe, expect, it } from 'vitest'
import { openLedger } from '../ledger/index.ts'
import { fileOutbox } from '../outbox/index.ts'
import { AwaitableValue } from '../platform/index.ts'
import { QuietTime } from '../release/index.ts'
import { fileStepSnapshots } from '../step-snapshots/index.ts'
import { sha256 } from './encode-update.ts'
import { schemaHash } from './load-state.ts'
import { runRound } from './round.ts'

/** Trained numbers of one layer: a step over them draws 7 MB of noise. */
const ENTRIES = 600_000

/** Counts the turns of the event loop, and how much of something happens in each. */
function turnsOfTheLoop() {
  let turn = 0
  let next = setImmediate(function count() {
    turn += 1
    next = setImmediate(count)
  })
  const perTurn = new Map<number, number>()
  return {
    note: (amount: number) => perTurn.set(turn, (perTurn.get(turn) ?? 0) + amount),
    amounts: () => [...perTurn.values()],
    [Symbol.dispose]: () => clearImmediate(next),
  }
}

describe('a round on a large adapter', () => {
  it('lets the event loop turn within a step, so that drawing noise delays no answer', async () => {
    using folder = temporaryFolder()
    using ledger = openLedger(folder.path, FINGERPRINT, BUDGET, { makeFilter: perStep(0.01) })
    using turns = turnsOfTheLoop()
    const adapter = {
      ...sampleManifest().adapter,
      layers: [{ name: 'layer', dIn: 2, dOut: ENTRIES }],
    }
    const manifest = sampleManifest({ adapter, localSteps: 2 })
    const bound = sampleBound(manifest)
    ledger.bind(bound)
    const tensors = tensorsOfState(initialState(adapter, manifest))
    const header = { round: 0, basis: 0, runId: RUN_A, clientId: NO_CLIENT, schemaHash: schemaHash(adapter) }
    const state = encodeFrame({ kind: 'state', ...header, tensors }, sha256)
    const there = <T>(value: T) => {
      const found = new AwaitableValue<T>()
      found.set(value)
      return found
    }
    const source: RandomSource = {
      kind: 'os-csprng',
      fill: (bytes) => {
        turns.note(bytes.length)
        osRandomness.fill(bytes)
      },
    }
    const frames: Uint8Array[] = []
    await runRound({
      clientId: RUN_A,
      manifest,
      invitation: {
        runId: RUN_A,
        round: 0,
        basis: 0,
        uploadToken: 'token',
        deadline: '2100-01-01T00:00:00.000Z',
        state: { sha256: Buffer.from(sha256(state)).toString('hex'), bytes: state.length },
      },
      uploadToken: there('token'),
      resumeGate: there(true as const),
      run: bound,
      link: {
        report: async () => ({ agrees: true }),
        roundFailed: async () => {},
        fetchState: async () => state,
        upload: async ({ frame }) => {
          frames.push(frame)
          return { status: 'accepted', sha256: Buffer.from(sha256(frame)).toString('hex') }
        },
        [Symbol.asyncDispose]: async () => {},
      },
      ledger,
      outbox: fileOutbox(folder.path, FINGERPRINT),
      snapshots: fileStepSnapshots(folder.path, FINGERPRINT),
      engine: fakeEngine(adapter),
      records: async () => recordsInMemory([{ tokenIds: Int32Array.of(1), label: 1 }]),
      release: { begin: () => {}, endOfSlot: async () => 0, endOfCutSlot: async () => {} },
      work: (signal) => new QuietTime({ now: () => 0 }).work(signal),
      whenDiskHasRoom: async (action) => await action(),
      source,
      signal: new AbortController().signal,
      report: async () => {},
      onNotEvaluated: () => {},
      onShortened: () => {},
      onLotFault: () => {},
      onResumed: () => {},
      onPart: () => {},
      onStep: () => {},
    })
    expect(frames).toHaveLength(1)
    const drawn = turns.amounts()
    expect(drawn.reduce((sum, bytes) => sum + bytes, 0)).toBeGreaterThan(2 * 10 * ENTRIES)
    expect(Math.max(...drawn)).toBeLessThan(2 * 2 ** 20)
  })
})
