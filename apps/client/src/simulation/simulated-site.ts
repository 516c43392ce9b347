import { generateKeyPairSync, sign } from 'node:crypto'
import type { SiteUnit } from '@fedsvd/core/accounting'
import type { Task } from '@fedsvd/core/lora'
import { type Budget, PROTOCOL_VERSION, type RunManifest, sessionChallengeText } from '@fedsvd/core/protocol'
import { osRandomness } from '@fedsvd/engine/crypto'
import type { RecordSource } from '@fedsvd/engine/datasets'
import type { PrivateEngine } from '@fedsvd/engine/training'
import type { SiteData } from '../data/index.ts'
import type { ClientEvent } from '../events.ts'
import { openLedger, sha256Hex } from '../ledger/index.ts'
import { ClientNode } from '../node.ts'
import { simulatedRandomness } from '../round/index.ts'
import { type LoopbackPort, loopbackTransport } from '../transport/index.ts'
import { memoryClosedRounds, memoryJoinedRuns, memoryOutbox, memorySnapshots, noApprovals } from './memory-parts.ts'
import { sharedStores } from './shared-stores.ts'

/** A site of a simulation. */
export interface SimulatedSite {
  readonly name: string
  readonly enrolmentToken: string
  /** Of its lots and its noise, which are NOT PRIVATE. */
  readonly seed: string
  /** Folder of its throw-away ledger. */
  readonly folder: string
  readonly declaredRecords: number
  readonly budget: Budget
  readonly task: Task
  readonly unit: SiteUnit
  /** Its records, as the run's model takes them. */
  readonly records: RecordSource
  /** The engine that it shares with other sites; it is not closed with the site. */
  engineFor(manifest: RunManifest): Promise<PrivateEngine>
  onEvent(event: ClientEvent): void
}

/**
 * Starts a site within the process of its coordinator: the node, the ledger and the round of a live one. What it stands
 * on is smaller: its records are in memory, nothing but the ledger is on a disk, updates leave when they are made, and
 * its lots and its noise follow from a seed. It protects nobody, and can speak to nobody outside this process.
 */
export async function startSimulatedSite(site: SimulatedSite, port: LoopbackPort): Promise<ClientNode> {
  const { name, enrolmentToken, seed, folder, declaredRecords, budget, task, unit, records } = site
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const { clientId } = await port.enrol({
    protocolVersion: PROTOCOL_VERSION,
    token: enrolmentToken,
    name,
    publicKey: publicKey.export({ format: 'jwk' }).x!,
  })
  const fingerprint = sha256Hex(`simulated site ${seed}`)
  const node = new ClientNode({
    clientId,
    site: simulatedData({ name, fingerprint, records, task, unit }),
    ledger: openLedger(folder, fingerprint, budget),
    transport: loopbackTransport(port),
    onEvent: site.onEvent,
    declaration: { records: declaredRecords, task, unit },
    limits: {},
    policy: { approval: 'auto' },
    approvals: noApprovals(),
    outbox: memoryOutbox(),
    snapshots: memorySnapshots(),
    joined: memoryJoinedRuns(),
    closed: memoryClosedRounds(),
    source: osRandomness, // in whose place the simulated numbers come
    simulated: simulatedRandomness(seed),
    stores: sharedStores(records),
    signChallenge: (id, nonce) =>
      sign(null, Buffer.from(sessionChallengeText(id, nonce)), privateKey).toString('base64url'),
    engineFor: (manifest) => site.engineFor(manifest),
  })
  await Promise.race([node.connected, node.turnedAway.then((reason) => Promise.reject(reason))])
  return node
}

function simulatedData({
  name,
  fingerprint,
  records,
  task,
  unit,
}: Pick<SimulatedSite, 'name' | 'records' | 'task' | 'unit'> & { readonly fingerprint: string }): SiteData {
  return {
    path: name,
    files: 1,
    records: records.size,
    unit,
    withoutUnit: 0,
    leftOut: { count: 0, first: undefined, reasons: [] },
    fingerprint,
    task,
    read: async function* () {
      // the records are encoded already
    },
    hasChanged: () => false,
    [Symbol.dispose]: () => {},
  }
}
