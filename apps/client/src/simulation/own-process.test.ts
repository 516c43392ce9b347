import { osRandomness } from '@fedsvd/engine/crypto'
import { recordsInMemory } from '@fedsvd/engine/datasets'
import { BUDGET, FINGERPRINT } from '@fedsvd/testing/client/sample-run'
import { temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { expect, it } from 'vitest'
import { openLedger } from '../ledger/index.ts'
import { ClientNode, type NodeParts } from '../node.ts'
import { simulatedRandomness } from '../round/index.ts'
import { networkTransport } from '../transport/index.ts'
import { memoryClosedRounds, memoryJoinedRuns, memoryOutbox, memorySnapshots } from './memory-parts.ts'
import { sharedStores } from './shared-stores.ts'

it('a site whose noise follows from a seed speaks to no coordinator outside its process', () => {
  using folder = temporaryFolder()
  using ledger = openLedger(folder.path, FINGERPRINT, BUDGET)
  const parts = {
    clientId: '11111111-1111-4111-8111-111111111111',
    ledger,
    transport: networkTransport('http://127.0.0.1:9'),
    declaration: { records: 10, task: 'sequence-classification', unit: 'record' },
    limits: {},
    outbox: memoryOutbox(),
    snapshots: memorySnapshots(),
    joined: memoryJoinedRuns(),
    closed: memoryClosedRounds(),
    source: osRandomness,
    simulated: simulatedRandomness('a simulation'),
    stores: sharedStores(recordsInMemory([])),
    signChallenge: () => '',
    engineFor: () => Promise.reject(new Error('no engine')),
    onEvent: () => {},
  } satisfies Partial<NodeParts>
  expect(() => new ClientNode(parts as unknown as NodeParts)).toThrow(/NOISE_INVALID.*127\.0\.0\.1:9/)
})
