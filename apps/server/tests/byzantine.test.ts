import { describe, expect, it } from 'vitest'
import { canonicalSchema, trainedSpecs } from '../../../packages/core/src/lora/index.ts'
import { decodeState, type Invitation } from '../../../packages/core/src/protocol/index.ts'
import type { NamedTerms } from '../../../packages/core/src/registry/index.ts'
import { flatNorm, type NamedTensor, sizeOf } from '../../../packages/core/src/tensor/index.ts'
import {
  type FakeClient,
  hexSha256,
  sha256,
  testCoordinator,
  tinyRequest,
} from '../../../packages/testing/src/server/index.ts'

const CLIENTS = 10
const POISONERS = 2
const LOUD = 2.5 // below the norm bound of the run, which noise makes wide

/** What honest clients would bring without their noise. */
const TRUTH = 0.02

function update(client: FakeClient, invitation: Invitation, poisons: boolean, index: number): Uint8Array {
  const { adapter } = client.manifests.get(invitation.runId)!
  const specs = trainedSpecs(adapter)
  const floats = specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  const tensors = specs.map(({ name, shape }) => {
    const honest = (element: number) => TRUTH + 0.005 * Math.sin(1 + 7 * index + 3 * element)
    const value = (element: number) => (poisons ? -LOUD / Math.sqrt(floats) : honest(element))
    return { name, shape, data: Float32Array.from({ length: sizeOf(shape) }, (_, element) => value(element)) }
  })
  return client.frame(invitation, { tensors })
}

/** The relative distance of the aggregated B and head from what all honest clients would have made of them. */
async function errorOf(aggregation: NamedTerms | undefined): Promise<number> {
  await using coordinator = await testCoordinator()
  for (let index = 0; index < CLIENTS; index += 1) {
    const client = await coordinator.client(`site ${index}`, {
      train: async (self, invitation) =>
        void (await self.upload(invitation, update(self, invitation, index < POISONERS, index))),
    })
    await client.connect()
  }
  const { runId, adapter } = await coordinator.createRun({
    ...tinyRequest(),
    method: 'ffa-lora',
    rounds: 1,
    clientsPerRound: CLIENTS,
    quorum: CLIENTS,
    ...(aggregation && { aggregation }),
  })
  await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
  const reply = await fetch(`${coordinator.url}/v1/runs/${runId}/adapter`, {
    headers: { authorization: `Bearer ${coordinator.operatorToken}` },
  })
  const frame = new Uint8Array(await reply.arrayBuffer())
  const schemaHash = hexSha256(Buffer.from(canonicalSchema(adapter)))
  const state = decodeState({ runId, schemaHash, adapter, basis: 0 }, frame, sha256)
  const aggregated = [...state.b, ...state.head]
  return (
    flatNorm(aggregated.map((tensor) => shifted(tensor, -TRUTH))) /
    flatNorm(aggregated.map((tensor) => filled(tensor, TRUTH)))
  )
}

const shifted = (tensor: NamedTensor, by: number) => ({ ...tensor, data: tensor.data.map((value) => value + by) })
const filled = (tensor: NamedTensor, value: number) => ({ ...tensor, data: tensor.data.map(() => value) })

describe('two poisoners among ten clients, within the norm bound', () => {
  it('carry a mean away', async () => {
    expect(await errorOf(undefined)).toBeGreaterThan(1)
  })

  it.each<NamedTerms>([
    { name: 'median' },
    { name: 'trimmed-mean', byzantine: POISONERS },
    { name: 'krum', byzantine: POISONERS },
  ])('hardly move %o', async (aggregation) => {
    expect(await errorOf(aggregation)).toBeLessThan(0.3)
  })

  it('are not bargained with: a quorum too small for the rule opens no run, nor does a rule beside client-level privacy', async () => {
    await using coordinator = await testCoordinator()
    const krum = { name: 'krum', byzantine: 2 } as const
    await expect(coordinator.createRun({ aggregation: krum })).rejects.toThrow(
      /CONFIG_INVALID: expected a quorum of at least 7/,
    )
    const clientLevel = { clipNorm: 1, noiseMultiplier: 5, budget: { epsilon: 8, delta: 1e-5 } }
    await expect(coordinator.createRun({ aggregation: { name: 'median' }, clientLevel })).rejects.toThrow(
      /CONFIG_INVALID: expected the mean/,
    )
  })
})
