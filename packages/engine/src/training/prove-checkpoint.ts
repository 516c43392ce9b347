import { FedsvdError } from '@fedsvd/core/errors'
import { initialState } from '@fedsvd/core/lora'
import type { CheckpointFolder } from '../weights/huggingface/index.ts'
import { checkpointSchema, createCheckpointEngine, longestText, vocabularySizeOf } from './checkpoint-engine.ts'
import type { TrainingEngine } from './training-engine.ts'

/** A made-up record of this length, or as long as the model takes, shows every part of it at work. */
const PROBE_TOKENS = 16

/**
 * Runs one made-up record through a checkpoint, with the first and the last id of the vocabulary, and holds config,
 * tensors and tokenizer against each other: what cannot be trained is refused before anybody agrees to a run on it.
 *
 * @throws FedsvdError CHECKPOINT_INVALID naming the tensor, the shape or the size at fault; RUNTIME_UNAVAILABLE
 */
export async function proveCheckpoint(checkpoint: CheckpointFolder): Promise<void> {
  const { config } = checkpoint
  const classes = 2
  const schema = checkpointSchema(config, { rank: 1, alpha: 1, headMode: 'frozen', classes })
  const vocabularySize = vocabularySizeOf(config)
  const tokenizer = await checkpoint.tokenizer()
  if (tokenizer.vocabularySize > vocabularySize) {
    throw new FedsvdError('CHECKPOINT_INVALID', {
      expected: `a vocab_size in config.json of at least the tokenizer's ${tokenizer.vocabularySize}`,
      got: String(vocabularySize),
      remedy: 'Copy config.json, the tensors and the tokenizer from the same checkpoint.',
    })
  }
  await using engine = (await createCheckpointEngine(checkpoint, { schema, classes, threads: 1 })) as TrainingEngine
  const length = Math.min(PROBE_TOKENS, longestText(config))
  const tokenIds = Int32Array.from({ length }, (_, at) => (at % 2 === 0 ? 0 : vocabularySize - 1))
  await engine.logits([{ tokenIds, label: 0 }], initialState(schema, { seed: 'probe' }))
}
