import { summedGradient, tinyEncoder, waveNamed } from '@fedsvd/testing/core/models'
import { describe, expect, it } from 'vitest'
import { interpret } from '../../autodiff/index.ts'
import type { NamedTensor } from '../../tensor/index.ts'
import { encoderTags } from '../heads/classification-head.ts'
import { type TokenModel, tokenTrainingGraph } from '../heads/token-graphs.ts'
import { NO_TARGET, tokenHeadSpecs } from '../heads/token-outputs.ts'
import { PADDING_ID } from '../layers/padding-id.ts'
import { encoderLayers, encoderStates } from './encoder.ts'

const [RANK, CLASSES] = [2, 3]
const byName = (tensors: readonly NamedTensor[]) =>
  Object.fromEntries(tensors.map(({ name, shape, data }) => [name, { shape, data: Float64Array.from(data) }]))
const rows = (...values: number[][]) => ({
  shape: [values.length, values[0]!.length],
  data: Float64Array.from(values.flat()),
})

describe.each(['bert', 'roberta', 'distilbert'] as const)('a tagger on %s', (family) => {
  const { config, checkpoint } = tinyEncoder(family)
  const model: TokenModel = {
    layers: encoderLayers(config).filter(({ name }) => !name.includes('pooler')),
    rank: RANK,
    scale: 2,
    width: config.width,
    maxTokens: config.maxTokens,
    output: encoderTags(CLASSES),
    encode: (g, tokenIds, adapters, typeIds) => encoderStates(g, { tokenIds, typeIds }, config, checkpoint, adapters),
  }
  const parameters = [
    ...model.layers.flatMap(({ name, dIn, dOut }, index) => [
      waveNamed(100 + index, { name: `${name}.lora_A.weight`, shape: [RANK, dIn] }, 0.4),
      waveNamed(200 + index, { name: `${name}.lora_B.weight`, shape: [dOut, RANK] }, 0.3),
    ]),
    ...tokenHeadSpecs(model.output, config.width).map((spec, index) => waveNamed(300 + index, spec, 0.7)),
  ]
  const trained = parameters.map(({ name }) => name)
  const graph = tokenTrainingGraph(model, trained)
  const batch = {
    tokenIds: rows([3, 1, 4, 1], [5, 2, PADDING_ID, PADDING_ID]),
    typeIds: rows([0, 0, 1, 1], [0, 0, 0, 0]),
    positions: rows([0, 1, 3], [1, NO_TARGET, NO_TARGET]),
    targets: rows([2, 0, 1], [1, NO_TARGET, NO_TARGET]),
  }
  const base = byName(parameters)

  it('has the gradient that central differences have along every trained tensor', () => {
    const results = interpret(graph, { ...base, ...batch })
    for (const [key, name] of trained.entries()) {
      const { shape, data } = base[name]!
      const direction = waveNamed(400 + key, { name, shape }, 1).data
      const lossAt = (by: number) => {
        const moved = { shape, data: data.map((value, index) => value + by * direction[index]!) }
        const { losses } = interpret(graph, { ...base, ...batch, [name]: moved })
        return losses!.data.reduce((sum, loss) => sum + loss, 0)
      }
      const h = 1e-5
      const difference = (lossAt(h) - lossAt(-h)) / (2 * h)
      const slope = summedGradient(results, name).reduce((sum, value, index) => sum + value * direction[index]!, 0)
      // a key's bias shifts all scores of a query alike: its gradient is small, and its error relative to nothing
      expect(Math.abs(slope - difference)).toBeLessThan(1e-4 * Math.abs(difference) + 1e-8)
    }
  })
})
