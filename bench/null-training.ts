import { eventOfRound } from '../packages/core/src/accounting/index.ts'
import { trainedSpecs } from '../packages/core/src/lora/index.ts'
import type { Invitation } from '../packages/core/src/protocol/index.ts'
import { sizeOf } from '../packages/core/src/tensor/index.ts'
import type { FakeClient } from '../packages/testing/src/server/index.ts'

/** All that a client does in a round but training: it sends noise as large as an honest client's would be. */
export async function nullTraining(client: FakeClient, invitation: Invitation): Promise<void> {
  const { runId, round, state } = invitation
  const manifest = client.manifests.get(runId)!
  await client.download(state.sha256)
  const event = eventOfRound(manifest, client.termsFor(manifest))
  await client.report({ runId, since: round, reservations: [{ round, attempt: 1, event }] })
  const tensors = trainedSpecs(manifest.adapter).map(({ name, shape }) => ({ name, shape, data: noise(sizeOf(shape)) }))
  await client.upload(invitation, client.frame(invitation, { tensors }))
}

let drawn = new Float32Array()

/** Somewhere in noise that was drawn once: other numbers each time, at no cost. */
function noise(size: number): Float32Array {
  if (drawn.length < 2 * size) drawn = new Float32Array(2 * size).map(() => 0.01 * (Math.random() - 0.5))
  const start = Math.floor(Math.random() * size)
  return drawn.subarray(start, start + size)
}
