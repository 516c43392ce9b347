import type { AdapterSchema } from '@fedsvd/core/lora'
import type { RunRequest } from '@fedsvd/core/protocol'
import { type Model, registryOf } from '@fedsvd/server/models'

/** A model of one small layer: enough for every rule of the coordinator, and nothing to compute. */
export const tinyModel: Model = {
  name: 'tiny',
  maxTokens: 16,
  adapterSchema: async ({ adapter: { rank, alpha, headMode }, classes }): Promise<AdapterSchema> => ({
    rank,
    alpha,
    headMode,
    layers: [{ name: 'layer', dIn: 6, dOut: 5 }],
    head: [{ name: 'classifier.weight', shape: [classes, 4] }],
  }),
  loadTokenizer: () => Promise.reject(new Error('the tiny model reads no text')),
  createEngine: () => Promise.reject(new Error('the tiny model computes nothing')),
}

export const tinyModels = registryOf([tinyModel])

export function tinyRequest(changes: Partial<RunRequest> = {}): RunRequest {
  return {
    name: 'test run',
    method: 'fedsvd',
    model: { name: 'tiny', maxTokens: 16 },
    labels: ['ham', 'spam'],
    adapter: { rank: 2, alpha: 2, headMode: 'trained' },
    rounds: 3,
    localSteps: 2,
    expectedLotSize: 10,
    clipNorm: 1,
    learningRate: 0.5,
    momentum: 0,
    target: { epsilon: 8, delta: 1e-5 },
    maxNoiseRatio: 100, // the fake client states noise multiplier 2, whatever the run asks for
    clientsPerRound: 3,
    quorum: 3,
    deadlineSeconds: 30,
    seed: 'public',
    ...changes,
  }
}
