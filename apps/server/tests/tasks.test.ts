import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Task } from '../../../packages/core/src/lora/index.ts'
import { type Checkpoint, decoderConfig } from '../../../packages/core/src/models/index.ts'
import type { RunManifest, RunRequest, RunSnapshot } from '../../../packages/core/src/protocol/index.ts'
import { encodeSafetensors } from '../../../packages/engine/src/weights/safetensors/index.ts'
import { tinyGpt2Checkpoint, tinyLlamaCheckpoint } from '../../../packages/testing/src/core/models/index.ts'
import { byteLevelTokenizer } from '../../../packages/testing/src/engine/tokenizers/index.ts'
import { get, post, temporaryFolder, until } from '../../../packages/testing/src/server/index.ts'
import { type ClientEvent, clientConfig, startClient } from '../../client/src/index.ts'
import { showLedger } from '../../client/src/ledger/view.ts'
import { startCoordinator } from '../src/index.ts'
import { createMemoryStore } from '../src/storage/records/memory/index.ts'

/** A BERT of two small layers with random weights, written by scripts/encoder_vectors.py. */
const TINY_BERT = fileURLToPath(new URL('../../../packages/engine/src/training/vectors/encoders/bert', import.meta.url))
const LETTERS = [...'abcdefghijklmnopqrstuvwxyz', 'Ġ']
/** Bytes as pieces, and the six special tokens that the test tokenizer has. */
const VOCABULARY = LETTERS.length + 5
const GPT2 = { model_type: 'gpt2', vocab_size: VOCABULARY, n_embd: 16, n_layer: 2, n_head: 2, n_positions: 32 }
const LLAMA = {
  model_type: 'llama',
  vocab_size: VOCABULARY,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 32,
}

interface TaskCase {
  readonly task: Task
  readonly model: string
  readonly labels: readonly string[]
  /** Record n of the site and of the public file. */
  readonly row: (n: number) => object
  readonly layers: readonly string[]
  readonly head: readonly string[]
  /** Small enough to go down through every round, whatever the noise and the lots. */
  readonly learningRate: number
}

const NAMES = ['good', 'bad', 'plot']
const CASES: readonly TaskCase[] = [
  {
    task: 'causal-lm',
    model: 'tiny-gpt2',
    labels: [],
    row: (n) => ({ text: `the ${NAMES[n % 3]} cat sat` }),
    layers: ['transformer.h.0.attn.c_attn', 'transformer.h.1.attn.c_attn'],
    head: [],
    learningRate: 0.3,
  },
  {
    task: 'instruction-tuning',
    model: 'tiny-llama',
    labels: [],
    row: (n) => ({ prompt: `say ${NAMES[n % 3]}`, answer: ` yes` }),
    layers: [
      'model.layers.0.self_attn.q_proj',
      'model.layers.0.self_attn.v_proj',
      'model.layers.1.self_attn.q_proj',
      'model.layers.1.self_attn.v_proj',
    ],
    head: [],
    learningRate: 1,
  },
  {
    task: 'sequence-classification',
    model: 'tiny-llama',
    labels: ['no', 'yes'],
    row: (n) => ({ text: n % 2 ? 'very good' : 'so bad', label: n % 2 ? 'yes' : 'no' }),
    layers: [
      'model.layers.0.self_attn.q_proj',
      'model.layers.0.self_attn.v_proj',
      'model.layers.1.self_attn.q_proj',
      'model.layers.1.self_attn.v_proj',
    ],
    head: ['score.weight'],
    learningRate: 1,
  },
  {
    task: 'token-classification',
    model: 'tiny-bert',
    labels: ['O', 'opinion'],
    row: (n) => ({
      words: ['this', 'movie', 'was', n % 2 ? 'good' : 'awful'],
      tags: ['O', 'O', 'O', 'opinion'],
    }),
    layers: [
      'bert.encoder.layer.0.attention.self.query',
      'bert.encoder.layer.0.attention.self.value',
      'bert.encoder.layer.1.attention.self.query',
      'bert.encoder.layer.1.attention.self.value',
    ],
    head: ['classifier.weight', 'classifier.bias'],
    learningRate: 1,
  },
]

async function writeDecoder(folder: string, config: object, tensors: Checkpoint, processor?: null): Promise<void> {
  await mkdir(folder, { recursive: true })
  const tokenizer = byteLevelTokenizer(LETTERS, [])
  const files = {
    'config.json': JSON.stringify(config),
    'tokenizer.json': JSON.stringify(processor === null ? { ...tokenizer, post_processor: null } : tokenizer),
    'tokenizer_config.json': JSON.stringify({ eos_token: '</s>' }),
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  await writeFile(join(folder, 'model.safetensors'), encodeSafetensors([...tensors.values()]))
}

describe('a run for each task', { timeout: 120_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  const here = (name: string) => join(folder.path, name)
  beforeAll(async () => {
    folder = await temporaryFolder()
    const [gpt2, llama] = [decoderConfig(GPT2), decoderConfig(LLAMA)]
    if (gpt2.family !== 'gpt2' || llama.family !== 'llama') throw new Error('expected one of each')
    await writeDecoder(here('models/tiny-gpt2'), GPT2, tinyGpt2Checkpoint(gpt2.sizes), null)
    await writeDecoder(here('models/tiny-llama'), LLAMA, tinyLlamaCheckpoint(llama.sizes, false), null)
    await cp(TINY_BERT, here('models/tiny-bert'), { recursive: true })
  })
  afterAll(async () => await folder[Symbol.asyncDispose]())

  const coordinatorOn = (name: string, holdOut: string) =>
    startCoordinator(
      {
        port: 0,
        stateDir: here(name),
        models: here('models'),
        holdOut,
        logLevel: 'silent',
        gatherSeconds: 0.2,
        graceSeconds: 1,
      },
      { openStore: async () => createMemoryStore() },
    )

  const request = ({ task, model, labels, learningRate }: TaskCase, changes: object = {}): RunRequest => ({
    name: task,
    method: 'fedsvd',
    task,
    model: { name: model, maxTokens: 24 },
    labels: [...labels],
    adapter: { rank: 2, alpha: 4, headMode: 'trained' },
    rounds: 3,
    localSteps: 4,
    expectedLotSize: 30,
    clipNorm: 1,
    learningRate,
    momentum: 0,
    target: { epsilon: 900, delta: 1e-3 },
    clientsPerRound: 1,
    quorum: 1,
    deadlineSeconds: 120,
    seed: 'public',
    ...changes,
  })

  it.each(CASES)('$task on $model: trained at a site, and better on the public records', async (facts) => {
    const rows = (count: number) => Array.from({ length: count }, (_, n) => JSON.stringify(facts.row(n))).join('\n')
    const name = `${facts.task}-${facts.model}`
    await writeFile(here(`${name}.jsonl`), rows(90))
    await writeFile(here(`${name}-public.jsonl`), rows(6))
    await using coordinator = await coordinatorOn(name, here(`${name}-public.jsonl`))
    const { url, operatorToken } = coordinator
    const manifest = await post<RunManifest>(url, '/v1/runs', request(facts), operatorToken)
    expect(manifest.task).toBe(facts.task)
    expect(manifest.adapter.layers.map((layer) => layer.name)).toEqual(facts.layers)
    expect(manifest.adapter.head.map((spec) => spec.name)).toEqual(facts.head)
    const asked = { count: 1, expiresInSeconds: 60 }
    const { tokens } = await post<{ tokens: [string] }>(url, '/v1/enrolment-tokens', asked, operatorToken)
    const trouble: ClientEvent[] = []
    const site = {
      coordinator: url,
      name: 'site',
      dataFile: here(`${name}.jsonl`),
      task: facts.task,
      stateDir: here(`${name}-site`),
      budget: { epsilon: 900, delta: 1e-3 },
      declaredRecords: 90,
      releaseGrid: false,
      enrolmentToken: tokens[0],
      models: here('models'),
    }
    await using client = await startClient(clientConfig(site), {
      onEvent: (event) => {
        if (event.event === 'declined' || event.event === 'round-failed') trouble.push(event)
      },
    })
    expect(await client.nextEnding()).toMatchObject({ state: 'completed' })
    expect(trouble).toEqual([])
    const { rounds, baseline } = await until('the last evaluation', async () => {
      const snapshot = await get<RunSnapshot>(url, `/v1/runs/${manifest.runId}`, operatorToken)
      return snapshot.rounds.length === 3 && snapshot.rounds.every(({ evaluation }) => evaluation) && snapshot
    })
    expect(baseline?.records).toBe(6)
    expect(rounds.at(-1)!.evaluation!.loss).toBeLessThan(rounds[0]!.evaluation!.loss)
    for (const { evaluation } of rounds) {
      expect(typeof evaluation!.microF1).toBe(facts.task === 'token-classification' ? 'number' : 'undefined')
    }
  })

  it('is declined by a site whose records are for another task, before anything is spent', async () => {
    const rows = Array.from({ length: 90 }, (_, n) => JSON.stringify({ text: 'a', label: `${n}` }))
    await writeFile(here('letters.jsonl'), rows.join('\n'))
    await writeFile(here('public.jsonl'), JSON.stringify({ text: 'a' }))
    await using coordinator = await coordinatorOn('mismatch', here('public.jsonl'))
    const { url, operatorToken } = coordinator
    await post<RunManifest>(url, '/v1/runs', request(CASES[0]!), operatorToken)
    const asked = { count: 1, expiresInSeconds: 60 }
    const { tokens } = await post<{ tokens: [string] }>(url, '/v1/enrolment-tokens', asked, operatorToken)
    const declined: ClientEvent[] = []
    const site = {
      coordinator: url,
      name: 'site',
      dataFile: here('letters.jsonl'),
      stateDir: here('mismatch-site'),
      budget: { epsilon: 900, delta: 1e-3 },
      declaredRecords: 90,
      releaseGrid: false,
      enrolmentToken: tokens[0],
      models: here('models'),
    }
    await using _client = await startClient(clientConfig(site), {
      onEvent: (event) => {
        if (event.event === 'declined') declined.push(event)
      },
    })
    await until('its answer', () => declined.length > 0)
    expect(declined[0]).toMatchObject({
      error: { code: 'CONFIG_INVALID', got: 'records for sequence-classification' },
    })
    expect(() => showLedger(here('mismatch-site'))).toThrow('Nothing was spent')
  })

  it('is not opened with labels where tokens are predicted, without them elsewhere, or on a model that cannot', async () => {
    await writeFile(here('some.jsonl'), JSON.stringify({ text: 'a' }))
    await using coordinator = await coordinatorOn('refusals', here('some.jsonl'))
    const refusal = async (facts: TaskCase, changes: object) => {
      const answer = post(coordinator.url, '/v1/runs', request(facts, changes), coordinator.operatorToken)
      return await answer.then(
        () => 'opened',
        (error: unknown) => String(error),
      )
    }
    const [causal, , , tagging] = CASES as [TaskCase, TaskCase, TaskCase, TaskCase]
    expect(await refusal(causal, { labels: ['a', 'b'] })).toMatch(/CONFIG_INVALID/)
    expect(await refusal(tagging, { labels: [] })).toMatch(/CONFIG_INVALID/)
    expect(await refusal(tagging, { labels: ['a'] })).toMatch(/CONFIG_INVALID/)
    expect(await refusal(causal, { model: { name: 'tiny-bert', maxTokens: 24 } })).toMatch(/CONFIG_INVALID/)
    expect(await refusal(causal, { model: { name: 'starter', maxTokens: 24 } })).toMatch(/CONFIG_INVALID/)
    expect(await refusal(causal, { task: 'translation' })).toMatch(/MESSAGE_INVALID/)
  })
})
