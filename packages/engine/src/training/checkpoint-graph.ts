import type { Graph } from '@fedsvd/core/autodiff'
import { type AdapterState, DEFAULT_TASK, tensorsOfState } from '@fedsvd/core/lora'
import { deployedGraph, deployedTokenGraph } from '@fedsvd/core/models'
import { type CheckpointEngineOptions, isDecoder, longestText } from './checkpoint-engine.ts'
import { decoderModel } from './decoder.ts'
import { type EncoderCheckpoint, encoderClassifier } from './encoder.ts'
import { encoderTagModel } from './encoder-tagger.ts'

/** As far as the tables of positions reach where a run was made for shorter texts; longer ones cost memory. */
const POSITIONS_KEPT = 2048

type GraphOptions = Pick<CheckpointEngineOptions, 'task' | 'schema' | 'classes' | 'maxTokens' | 'featureScale'>

/**
 * A checkpoint with its trained state inside, as one graph from the ids of Hugging Face's tokenizers to `logits`: [N,
 * classes] of texts, or [N, T, outputs] of tokens.
 *
 * @throws FedsvdError CHECKPOINT_INVALID
 */
export async function deployedCheckpoint(
  checkpoint: EncoderCheckpoint,
  state: AdapterState,
  options: GraphOptions,
): Promise<Graph> {
  const { task = DEFAULT_TASK, maxTokens = 1 } = options
  const trained = new Map(tensorsOfState(state).map((tensor) => [tensor.name, tensor]))
  if (isDecoder(checkpoint.config)) {
    const positions = Math.min(longestText(checkpoint.config), Math.max(maxTokens, POSITIONS_KEPT))
    const made = await decoderModel(checkpoint, options, positions)
    return 'classifier' in made ? deployedGraph(made.classifier, trained) : deployedTokenGraph(made.tokens, trained)
  }
  if (task === 'token-classification') {
    return deployedTokenGraph(await encoderTagModel(checkpoint, options), trained)
  }
  return deployedGraph(await encoderClassifier(checkpoint, options), trained)
}
