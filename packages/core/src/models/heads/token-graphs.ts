import { BATCH, type Graph, GraphBuilder, ops, type Value } from '../../autodiff/index.ts'
import type { NamedTensor, TensorSpec } from '../../tensor/index.ts'
import { positionsOf } from '../layers/causal-attention.ts'
import type { LoraAdapters } from '../layers/linear.ts'
import type { LinearLayer } from '../layers/linear-layer.ts'
import { tensorOf } from '../layers/parameters.ts'
import { privateStepGraph } from '../private-step.ts'
import { adaptedInputs, idsOfTokenizers } from './adapted-inputs.ts'
import {
  meanOverTargets,
  outputLogits,
  type Scored,
  scoreTags,
  scoreVocabulary,
  selectPositions,
  TARGETS,
  type TokenOutput,
  tokenHeadSpecs,
} from './token-outputs.ts'

/** A model with adapted layers that says something about single tokens of a text. */
export interface TokenModel {
  readonly layers: readonly LinearLayer[]
  readonly rank: number
  /** Multiplies B A: alpha / rank. */
  readonly scale: number
  readonly width: number
  /** The longest text. */
  readonly maxTokens: number
  readonly output: TokenOutput
  /**
   * The last hidden states [N, T, width] of token ids [N, T]; models of pairs are told which text a token belongs to
   * [N, T].
   */
  encode(g: GraphBuilder, tokenIds: Value, adapters: LoraAdapters, typeIds: Value): Value
}

/**
 * What the model says at the places with a target.
 *
 * Inputs: `tokenIds` [N, T], `typeIds` [N, T] where the model reads them, `positions` [N, P] and `targets` [N, P]
 * (int32; both `NO_TARGET` after a record's last target), every factor and head tensor under its own name. Outputs:
 * `predicted` [N, P] int32 and `tokenLosses` [N, P] (nats; meaningless where there is no target).
 */
export function tokenInferenceGraph(model: TokenModel): Graph {
  const g = new GraphBuilder()
  const { scored } = forward(g, model)
  return g.build({ predicted: ops.argMax(g, scored.logits), tokenLosses: scored.losses })
}

/**
 * What the model says at every token, with factors and head inside, for others' libraries: what is left to supply is
 * `input_ids`, `attention_mask` and, where the model reads it, `token_type_ids`, [N, T] int64. The output is `logits`
 * [N, T, outputs]. `trained` has every factor and head tensor by name.
 */
export function deployedTokenGraph(model: TokenModel, trained: ReadonlyMap<string, NamedTensor>): Graph {
  const g = new GraphBuilder()
  const supply = ({ name, shape }: TensorSpec) => g.weight(tensorOf(trained, name, shape))
  const { parameter, factors, tokenIds, typeIds } = adaptedInputs(g, model, { supply, tokens: idsOfTokenizers })
  const hidden = model.encode(g, tokenIds, { scale: model.scale, factors }, typeIds)
  return g.build({ logits: outputLogits(g, hidden, model.output, parameter) })
}

/**
 * One micro-batch of the private step. A record's loss is the mean over its targets, and its gradient is clipped once.
 *
 * Inputs: as for inference. Outputs: as {@link privateStepGraph}. `trained` names factors and head tensors, in any
 * order.
 */
export function tokenTrainingGraph(model: TokenModel, trained: readonly string[]): Graph {
  const g = new GraphBuilder()
  const { scored, targets, parameters } = forward(g, model)
  return privateStepGraph(g, meanOverTargets(g, scored.losses, targets), parameters, trained)
}

function forward(g: GraphBuilder, model: TokenModel) {
  const { parameters, parameter, factors, tokenIds, typeIds } = adaptedInputs(g, model)
  const [positions, targets] = (['positions', 'targets'] as const).map((name) =>
    g.input(name, 'int32', [BATCH, TARGETS]),
  ) as [Value, Value]
  const hidden = model.encode(g, tokenIds, { scale: model.scale, factors }, typeIds)
  const states = selectPositions(g, hidden, positions, positionsOf(g, tokenIds, model.maxTokens))
  const scored = score(g, model, states, targets, parameter)
  return { scored, targets, parameters }
}

function score(
  g: GraphBuilder,
  { output, width }: TokenModel,
  states: Value,
  targets: Value,
  parameter: (spec: TensorSpec) => Value,
): Scored {
  if (output.kind === 'vocabulary') return scoreVocabulary(g, states, output.table, targets)
  const [weight, bias] = tokenHeadSpecs(output, width).map(parameter) as [Value, Value]
  return scoreTags(g, states, weight, bias, targets)
}
