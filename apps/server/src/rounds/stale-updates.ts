import { rebase, stalenessWeight } from '@fedsvd/core/federation'
import type { AdapterState } from '@fedsvd/core/lora'
import { bufferOf } from '@fedsvd/core/protocol'
import type { NamedTensor } from '@fedsvd/core/tensor'
import type { AdapterRecord } from '../storage/records/index.ts'
import type { RoundContext, RunSettings, RunStorage, RunWith } from './context.ts'
import { decodeState, decodeUpdate } from './frames.ts'

/**
 * The stale updates that a round counts, in the order of client identifiers, each moved from the basis that it was made
 * in to that of the round, and in a buffered run weighed by how many states old it is. The rotations are not stored:
 * they follow from the published states, which are.
 */
export async function* staleUpdates({
  run,
  round,
  journal,
  base,
}: RoundContext<'settings' | 'storage'>): AsyncGenerator<NamedTensor[]> {
  const { late = [] } = journal.progress!
  if (late.length === 0) return
  const { manifest, schemaHash } = run.settings
  const exponent = bufferOf(manifest)?.stalenessExponent ?? 0
  const to = await stateOf(run, base)
  const states = new Map<number, AdapterState>()
  for (const { clientId, round: madeIn, sha256 } of late) {
    const from = states.get(madeIn) ?? (await stateOf(run, await baseOf(run, madeIn)))
    states.set(madeIn, from)
    const expected = { schemaHash, round: madeIn, basis: from.basis, clientId }
    const { tensors } = decodeUpdate(manifest, expected, await run.storage.blobs.read(sha256))
    const weight = stalenessWeight(round - madeIn, exponent)
    yield rebase({ schema: manifest.adapter, from, to, delta: tensors, weight })
  }
}

/** The published state that a round started from. */
export async function baseOf(
  { settings, storage }: { settings: Pick<RunSettings, 'manifest'>; storage: Pick<RunStorage, 'store'> },
  round: number,
): Promise<AdapterRecord> {
  return (await storage.store.adapters.find(settings.manifest.runId, round))!
}

async function stateOf(
  { settings: { manifest, schemaHash }, storage }: RunWith<'settings' | 'storage'>,
  record: AdapterRecord,
): Promise<AdapterState> {
  return decodeState(manifest, schemaHash, record.basis, await storage.blobs.read(record.sha256))
}
