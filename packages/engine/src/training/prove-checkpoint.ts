import { FedsvdError } from '@fedsvd/core/errors'
import { DEFAULT_TASK, initialState, predictsTokens, type Task } from '@fedsvd/core/lora'
import { decoderConfig } from '@fedsvd/core/models'
import type { NamedTensor } from '@fedsvd/core/tensor'
import type { CheckpointFolder } from '../weights/huggingface/index.ts'
import {
  checkpointSchema,
  createCheckpointEngine,
  isDecoder,
  longestText,
  vocabularySizeOf,
} from './checkpoint-engine.ts'
import type { TokenEngine, TrainingEngine } from './training-engine.ts'

/** A made-up record of this length, or as long as the model takes, shows every part of it at work. */
const PROBE_TOKENS = 16

/**
 * Runs one made-up record through a checkpoint as a run of a task would, with the first and the last id of the
 * vocabulary, and holds config, tensors and tokenizer against each other: what cannot be trained is refused before
 * anybody agrees to a run on it.
 *
 * @throws FedsvdError CHECKPOINT_INVALID naming the tensor, the shape or the size at fault; RUNTIME_UNAVAILABLE
 */
export async function proveCheckpoint(checkpoint: CheckpointFolder, task: Task = DEFAULT_TASK): Promise<void> {
  const { config } = checkpoint
  const classes = predictsTokens(task) ? 0 : 2
  const schema = checkpointSchema(config, { task, rank: 1, alpha: 1, headMode: 'frozen', classes })
  const vocabularySize = vocabularySizeOf(config)
  const tokenizer = await checkpoint.tokenizer()
  if (tokenizer.vocabularySize > vocabularySize) {
    throw new FedsvdError('CHECKPOINT_INVALID', {
      expected: `a vocab_size in config.json of at least the tokenizer's ${tokenizer.vocabularySize}`,
      got: String(vocabularySize),
      remedy: 'Copy config.json, the tensors and the tokenizer from the same checkpoint.',
    })
  }
  await requireOneTable(checkpoint)
  await using engine = await createCheckpointEngine(checkpoint, { task, schema, classes, threads: 1 })
  const length = Math.min(PROBE_TOKENS, longestText(config))
  const tokenIds = Int32Array.from({ length }, (_, at) => (at % 2 === 0 ? 0 : vocabularySize - 1))
  const state = initialState(schema, { seed: 'probe' })
  if (task === 'sequence-classification') await (engine as TrainingEngine).logits([{ tokenIds, label: 0 }], state)
  else await (engine as TokenEngine).scores([{ tokenIds, targets: tokenIds.map(() => 0) }], state)
}

/**
 * Output embeddings beside input embeddings that config.json says are the same ones: a copy decides nothing, and where
 * they differ nobody knows which of them the model was trained with.
 */
async function requireOneTable({ config, tensors }: CheckpointFolder): Promise<void> {
  if (!isDecoder(config)) return
  const { tied, family } = decoderConfig(config)
  if (!tied) return
  const input = family === 'gpt2' ? /^(transformer\.)?wte\.weight$/ : /^(model\.)?embed_tokens\.weight$/
  const output = (await tensors((name) => name === OUTPUT)).get(OUTPUT)
  const [table] = output === undefined ? [] : (await tensors((name) => input.test(name))).values()
  if (output === undefined || table === undefined || isSame(output, table)) return
  throw new FedsvdError('CHECKPOINT_INVALID', {
    expected: `${OUTPUT} as ${table.name}, since tie_word_embeddings of config.json makes them one`,
    got: 'other values',
    remedy: 'Set tie_word_embeddings to false if the model was trained so, or remove the tensor that is not its own.',
  })
}

const OUTPUT = 'lm_head.weight'

const isSame = (one: NamedTensor, other: NamedTensor): boolean =>
  one.data.length === other.data.length && one.data.every((value, at) => value === other.data[at])
