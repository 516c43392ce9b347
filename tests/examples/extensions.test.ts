import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { canonicalSchema, initialState, trainedSpecs } from '../../packages/core/src/lora/index.ts'
import {
  decodeState,
  type Invitation,
  type RunRequest,
  runOptionsSchema,
} from '../../packages/core/src/protocol/index.ts'
import { sizeOf } from '../../packages/core/src/tensor/index.ts'
import { loadExtensions } from '../../packages/engine/src/extensions/index.ts'
import {
  type FakeClient,
  get,
  hexSha256,
  sha256,
  type TestCoordinator,
  temporaryFolder,
  testCoordinator,
} from '../../packages/testing/src/server/index.ts'

const example = (name: string): string => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url))
const GEOMETRIC_MEDIAN = example('custom-aggregation/geometric-median.mjs')
const TRUNCATED = example('custom-method/truncated.mjs')
const RADEMACHER = example('custom-initialiser/rademacher.mjs')

/** An update whose values all are `value`; the two factors of the norm bound are far away. */
function constantUpdate(client: FakeClient, invitation: Invitation, value: number): Uint8Array {
  const { adapter } = client.manifests.get(invitation.runId)!
  const tensors = trainedSpecs(adapter).map(({ name, shape }) => {
    return { name, shape, data: new Float32Array(sizeOf(shape)).fill(value) }
  })
  return client.frame(invitation, { tensors })
}

/** A run of one round in which each client sends a constant update: its last state, and the one it began with. */
async function stateAfter(coordinator: TestCoordinator, values: readonly number[], changes: Partial<RunRequest>) {
  for (const [index, value] of values.entries()) {
    const client = await coordinator.client(`site ${index}`, {
      train: async (self, invitation) => void (await self.upload(invitation, constantUpdate(self, invitation, value))),
    })
    await client.connect()
  }
  const count = values.length
  const manifest = await coordinator.createRun({ rounds: 1, clientsPerRound: count, quorum: count, ...changes })
  const { runId, adapter, seed } = manifest
  await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
  const reply = await fetch(`${coordinator.url}/v1/runs/${runId}/adapter`, {
    headers: { authorization: `Bearer ${coordinator.operatorToken}` },
  })
  const expected = { runId, schemaHash: hexSha256(Buffer.from(canonicalSchema(adapter))), adapter }
  const basis = manifest.method === 'ffa-lora' ? 0 : 1
  const last = decodeState({ ...expected, basis }, new Uint8Array(await reply.arrayBuffer()), sha256)
  return { last, first: initialState(adapter, { seed, initialiser: manifest.initialiser }) }
}

describe('the examples of extensions', () => {
  it('are among what a run may name, once they are loaded, with the ranges of their terms', async () => {
    await using coordinator = await testCoordinator({ extension: [GEOMETRIC_MEDIAN, TRUNCATED, RADEMACHER] })
    const { url, operatorToken } = coordinator
    const options = runOptionsSchema.parse(await get(url, '/v1/run-options', operatorToken))
    expect(options.methods).toEqual(['fedsvd', 'ffa-lora', 'fedsvd-truncated'])
    expect(options.initialisers).toEqual(['orthonormal', 'kaiming', 'rademacher'])
    expect(options.aggregationRules.map(({ name }) => name)).toEqual([
      'mean',
      'median',
      'trimmed-mean',
      'krum',
      'inverse-variance-mean',
      'geometric-median',
    ])
    expect(options.aggregationRules.at(-1)!.terms).toEqual([
      { name: 'iterations', minimum: 1, maximum: 1000, isWhole: true },
    ])
  })

  it('custom-aggregation: the geometric median of four near updates and a far one is near, where their mean is not', async () => {
    await using coordinator = await testCoordinator({ extension: [GEOMETRIC_MEDIAN] })
    const { last } = await stateAfter(coordinator, [0.01, 0.011, 0.009, 0.01, 1], {
      method: 'ffa-lora',
      aggregation: { name: 'geometric-median', iterations: 50 },
    })
    // The updates lie on a line, where the geometric median is the median.
    for (const { data } of [...last.b, ...last.head]) for (const value of data) expect(value).toBeCloseTo(0.01, 4)
  })

  it('custom-method: directions that are too weak are gone after the round, the others are those of fedsvd', async () => {
    await using coordinator = await testCoordinator({ extension: TRUNCATED })
    const { last } = await stateAfter(coordinator, [0.02, 0.04], { method: 'fedsvd-truncated' })
    // All values of B are 0.03: one direction, and a second one of rounding errors alone, which is set to zero.
    const [rank] = last.a[0]!.shape as [number, number]
    const columns = Array.from({ length: rank }, (_, column) =>
      last.b[0]!.data.filter((_, at) => at % rank === column).map(Math.abs),
    )
    expect(Math.hypot(...columns[0]!)).toBeCloseTo(0.03 * Math.sqrt(last.b[0]!.data.length), 4)
    expect(columns.slice(1).flatMap((column) => [...column])).toEqual(Array(last.b[0]!.data.length - 5).fill(0))
  })

  it('custom-initialiser: the first A is of signs, and B of the first state is zero', async () => {
    await using coordinator = await testCoordinator({ extension: [RADEMACHER] })
    const { first, last } = await stateAfter(coordinator, [0.01, 0.03], {
      method: 'ffa-lora',
      initialiser: 'rademacher',
    })
    expect(last.a.map(({ data }) => [...data])).toEqual(first.a.map(({ data }) => [...data]))
    for (const value of last.a[0]!.data) expect(Math.abs(value)).toBe(Math.fround(1 / Math.sqrt(6)))
  })
})

describe('an extension', () => {
  const load = async (source: string): Promise<void> => {
    await using folder = await temporaryFolder()
    const file = path.join(folder.path, 'extension.mjs')
    await writeFile(file, source)
    await loadExtensions([file])
  }

  it.each([
    ['export const rule = 1', /CONFIG_INVALID.*got a default export of type undefined/],
    ['export default { name: "rule" }', /CONFIG_INVALID.*got a default export of type object/],
    ['this is no module', /CONFIG_INVALID/],
    ['export default () => { throw new Error("not today") }', /CONFIG_INVALID.*not today/],
    ['export default ({ registerMethod }) => registerMethod({ name: "fedsvd" })', /no other method has, got fedsvd/],
  ])('that is none stops the start: %s', async (source, told) => {
    await expect(load(source)).rejects.toThrow(told)
  })

  it('that is not there stops the start', async () => {
    await expect(testCoordinator({ extension: 'nowhere/rule.mjs' })).rejects.toThrow(
      /CONFIG_INVALID: expected .*nowhere\/rule\.mjs.*got nothing there/,
    )
  })

  it('is loaded once in a process, however often it is named', async () => {
    await loadExtensions([GEOMETRIC_MEDIAN, GEOMETRIC_MEDIAN])
    await loadExtensions([GEOMETRIC_MEDIAN])
  })
})
