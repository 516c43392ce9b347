import { FedsvdError } from '@fedsvd/core/errors'
import { sampleManifest } from '@fedsvd/testing/client/sample-run'
import { temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { describe, expect, it } from 'vitest'
import { openLedger, type PrivacyLedger } from '../ledger/index.ts'
import { runLimitsSchema } from '../policy/index.ts'
import { QuietTime, ReadyTurns, systemClock } from '../release/index.ts'
import { type AgreementParts, agreeTo } from './open-runs.ts'

const broken = new FedsvdError('CHECKPOINT_INVALID', { expected: 'a', got: 'b', remedy: 'c' })

const partsWith = (ledger: PrivacyLedger, proveModel: AgreementParts['proveModel']): AgreementParts => ({
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
  ...(proveModel && { proveModel }),
  onLeftOut: () => {},
})

describe('agreeing to a run', () => {
  it('grants what was approved, although the budget is renewed while the model is proved', async () => {
    using folder = temporaryFolder()
    using ledger = openLedger(folder.path, 'ab'.repeat(32), { epsilon: 6, delta: 1e-6 })
    using small = openLedger(folder.path, 'ab'.repeat(32), { epsilon: 1, delta: 1e-6 }, { name: 'small' })
    let current = small.state
    const { bind } = ledger
    const renewing = Object.create(ledger, { state: { get: () => current }, bind: { value: bind } }) as PrivacyLedger
    const parts = partsWith(renewing, async () => {
      current = ledger.state
    })
    const run = await agreeTo(sampleManifest(), { ...parts, policy: { approval: 'ask' } })
    await run.close()
    expect(run.bound.terms.budget.epsilon).toBe(1)
  })

  it('proves its model before the ledger knows of the run, and once', async () => {
    using folder = temporaryFolder()
    using ledger = openLedger(folder.path, 'ab'.repeat(32), { epsilon: 8, delta: 1e-6 })
    const proved: string[] = []
    const agree = async (fault?: FedsvdError) =>
      await agreeTo(
        sampleManifest(),
        partsWith(ledger, async ({ model }) => {
          proved.push(model.name)
          if (fault !== undefined) throw fault
        }),
      )
    await expect(agree(broken)).rejects.toThrow(broken)
    expect(ledger.state.runs.size).toBe(0)
    const run = await agree()
    await run.close()
    expect(ledger.state.runs.size).toBe(1)
    await (await agree(broken)).close() // a run that was agreed to goes on
    expect(proved).toHaveLength(2)
  })
})
