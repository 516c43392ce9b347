import { createHash } from 'node:crypto'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { CoordinatorDouble } from '../../packages/testing/src/client/coordinator-double.ts'
import { loopbackTransport } from '../../packages/testing/src/client/loopback-transport.ts'
import { startSite } from '../../packages/testing/src/client/running-site.ts'
import { sampleManifest } from '../../packages/testing/src/client/sample-run.ts'
import { temporaryFolder } from '../../packages/testing/src/client/temporary-folder.ts'
import { testCoordinator } from '../../packages/testing/src/server/index.ts'

/*
 * A mechanism whose noise or whose lots came from anything but the operating system would be predictable, and nobody
 * would see it. Here the generator of the operating system is replaced by a known stream under the composed client and
 * the composed coordinator: what is drawn has to be the same for the same stream, and another for another one.
 */
const os = vi.hoisted(() => ({
  stream: undefined as (() => Uint8Array) | undefined,
  uuid: undefined as (() => string) | undefined,
  calls: 0,
}))

vi.mock('node:crypto', async (importOriginal) => {
  const crypto = await importOriginal<typeof import('node:crypto')>()
  const randomFillSync = (bytes: Uint8Array) => {
    if (os.stream === undefined) return crypto.randomFillSync(bytes)
    os.calls += 1
    for (let offset = 0; offset < bytes.length; offset += 32)
      bytes.set(os.stream().subarray(0, bytes.length - offset), offset)
    return bytes
  }
  const randomUUID = () => os.uuid?.() ?? crypto.randomUUID()
  return { ...crypto, randomFillSync, randomUUID, default: { ...crypto, randomFillSync, randomUUID } }
})

function counter(name: string): () => Uint8Array {
  let block = 0
  return () => createHash('sha256').update(`${name} ${block++}`).digest()
}

/** One round of a composed client on the stream: the records of each lot, and the noised update. */
async function roundOfClient(stream: string) {
  using folder = temporaryFolder()
  const double = new CoordinatorDouble()
  const lots: string[] = []
  const manifest = sampleManifest()
  await using _site = await startSite({
    folder: folder.path,
    transport: loopbackTransport(double),
    onLot: (records) => void lots.push(JSON.stringify(records)),
  })
  const peer = await double.peer()
  expect(await peer.offer(manifest)).toMatchObject({ accepted: true })
  os.stream = counter(stream)
  await peer.invite(double.invitation(manifest, 0))
  const { tensors } = await double.received(manifest, 0, peer.clientId)
  os.stream = undefined
  return { lots, update: tensors.map(({ data }) => Array.from(data)) }
}

/** One round with client-level noise of a composed coordinator on the stream: the hash of what it published. */
async function roundOfCoordinator(stream: string): Promise<string> {
  let uuids = 0
  os.uuid = () => `00000000-0000-4000-8000-${String(uuids++).padStart(12, '0')}`
  await using coordinator = await testCoordinator()
  const client = await coordinator.client('a')
  const clientLevel = { clipNorm: 0.1, noiseMultiplier: 3, budget: { epsilon: 8, delta: 1e-5 } }
  const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 1, clientLevel })
  os.stream = counter(stream)
  await client.connect()
  const { adapter } = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
  os.stream = undefined
  return adapter!
}

describe('all private randomness', () => {
  afterEach(() => Object.assign(os, { stream: undefined, uuid: undefined, calls: 0 }))

  it('of a client is what the operating system gives: its lots and its noise', async () => {
    const [first, again, other] = [await roundOfClient('a'), await roundOfClient('a'), await roundOfClient('b')]
    expect(os.calls).toBeGreaterThan(0)
    expect(again.lots).toEqual(first.lots)
    expect(again.update).toEqual(first.update)
    expect(other.lots).not.toEqual(first.lots)
    expect(other.update).not.toEqual(first.update)
  })

  it('of a coordinator is what the operating system gives: the noise of the client level', async () => {
    const first = await roundOfCoordinator('a')
    expect(os.calls).toBeGreaterThan(0)
    expect(await roundOfCoordinator('a')).toBe(first)
    expect(await roundOfCoordinator('b')).not.toBe(first)
  })
})
