import { FedsvdError } from '@fedsvd/core/errors'
import { sampleManifest } from '@fedsvd/testing/client/sample-run'
import { temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { describe, expect, it } from 'vitest'
import { openLedger } from '../ledger/index.ts'
import { runLimitsSchema } from '../policy/index.ts'
import { QuietTime, ReadyTurns, systemClock } from '../release/index.ts'
import { agreeTo } from './open-runs.ts'

const broken = new FedsvdError('CHECKPOINT_INVALID', { expected: 'a', got: 'b', remedy: 'c' })

describe('agreeing to a run', () => {
  it('proves its model before the ledger knows of the run, and once', async () => {
    using folder = temporaryFolder()
    using ledger = openLedger(folder.path, 'ab'.repeat(32), { epsilon: 8, delta: 1e-6 })
    const proved: string[] = []
    const agree = async (fault?: FedsvdError) =>
      await agreeTo(sampleManifest(), {
        ledger,
        coordinator: 'http://127.0.0.1:7373',
        signal: new AbortController().signal,
        quiet: new QuietTime(systemClock),
        readyTurns: new ReadyTurns(),
        declaration: { records: 1000, labels: undefined, task: 'sequence-classification', unit: 'record' },
        limits: runLimitsSchema.parse({}),
        policy: { approval: 'auto' },
        stores: {
          prepare: async () => ({ open: () => Promise.reject(new Error('no records here')) }),
          prune: () => {},
        },
        engineFor: () => Promise.reject(new Error('no engine here')),
        proveModel: async ({ model }) => {
          proved.push(model.name)
          if (fault !== undefined) throw fault
        },
        onLeftOut: () => {},
      })
    await expect(agree(broken)).rejects.toThrow(broken)
    expect(ledger.state.runs.size).toBe(0)
    const run = await agree()
    await run.close()
    expect(ledger.state.runs.size).toBe(1)
    await (await agree(broken)).close() // a run that was agreed to goes on
    expect(proved).toHaveLength(2)
  })
})
