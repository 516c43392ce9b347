import { BATCH, type GraphBuilder, ops, SEQUENCE, type Value } from '../../autodiff/index.ts'
import type { NamedTensor, TensorSpec } from '../../tensor/index.ts'
import { classify } from './classifier.ts'

/** The places of a record that carry a loss; a run pads the records to the same number of them. */
export const TARGETS = 'P'

/** Fills `positions` and `targets` [N, P] after a record's last one. */
export const NO_TARGET = -1

/**
 * What a token model says about a position: a tag, by a trained head `[classes, width]` with a bias, or the next token,
 * by the frozen table [vocabularySize, width] of output embeddings (the input embeddings where they are tied).
 */
export type TokenOutput =
  | { readonly kind: 'tags'; readonly classes: number; readonly headName: string }
  | { readonly kind: 'vocabulary'; readonly table: NamedTensor }

/** The head's trained tensors, under PEFT's names; predicting the vocabulary has none. */
export function tokenHeadSpecs(output: TokenOutput, width: number): readonly TensorSpec[] {
  if (output.kind === 'vocabulary') return []
  const { classes, headName } = output
  return [
    { name: `${headName}.weight`, shape: [classes, width] },
    { name: `${headName}.bias`, shape: [classes] },
  ]
}

/** What is computed of the places with a loss: logits [N, P, outputs] and cross-entropies [N, P] in nats. */
export interface Scored {
  readonly logits: Value
  readonly losses: Value
}

/**
 * The states [N, P, width] at `positions` [N, P] of `hidden` [N, T, width]; a place that is {@link NO_TARGET} gives
 * zeros.
 */
export function selectPositions(g: GraphBuilder, hidden: Value, positions: Value, order: Value): Value {
  const wanted = ops.reshape(g, positions, [BATCH, TARGETS, 1])
  const selection = ops.toFloat(g, ops.equal(g, wanted, ops.reshape(g, order, [1, 1, SEQUENCE])))
  return ops.matmul(g, selection, hidden)
}

/** Logits [N, P, outputs] of the states [N, P, width]; `parameter` supplies the head of tags. */
export function outputLogits(
  g: GraphBuilder,
  states: Value,
  output: TokenOutput,
  parameter: (spec: TensorSpec) => Value,
): Value {
  if (output.kind === 'vocabulary') return ops.matmul(g, states, ops.transposeMatrix(g, g.weight(output.table)))
  const [weight, bias] = tokenHeadSpecs(output, states.shape.at(-1) as number).map(parameter) as [Value, Value]
  return classify(g, states, weight, bias)
}

/** Tags by a linear head. A target that is {@link NO_TARGET} has the loss 0. */
export function scoreTags(g: GraphBuilder, states: Value, weight: Value, bias: Value, targets: Value): Scored {
  const logits = classify(g, states, weight, bias)
  const range = g.indices(Array.from({ length: bias.shape[0] as number }, (_, index) => index))
  const oneHot = ops.toFloat(g, ops.equal(g, ops.reshape(g, targets, [BATCH, TARGETS, 1]), range))
  const losses = ops.neg(g, ops.reduceSum(g, ops.mul(g, ops.logSoftmax(g, logits), oneHot), [-1], false))
  return { logits, losses }
}

/**
 * Next tokens by the output embeddings. The logit of the target is a product with its own row of the table, so that
 * neither the loss nor its derivative needs a one-hot tensor or a scatter as wide as the vocabulary: the derivative is
 * softmax(logits) times the table, less that row.
 */
export function scoreVocabulary(g: GraphBuilder, states: Value, table: NamedTensor, targets: Value): Scored {
  const embeddings = g.weight(table)
  const logits = ops.matmul(g, states, ops.transposeMatrix(g, embeddings))
  const ofTarget = ops.reduceSum(g, ops.mul(g, states, ops.gatherRows(g, embeddings, targets)), [-1], false)
  return { logits, losses: ops.sub(g, ops.reduceLogSumExp(g, logits, [-1], false), ofTarget) }
}

/** The mean [N] of `losses` [N, P] over each record's targets; a record without targets has the loss 0. */
export function meanOverTargets(g: GraphBuilder, losses: Value, targets: Value): Value {
  const isTarget = ops.toFloat(g, ops.greaterOrEqual(g, targets, ops.reshape(g, g.indices([0]), [])))
  const count = ops.max(g, ops.reduceSum(g, isTarget, [1], true), g.scalar(1))
  return ops.reduceSum(g, ops.mul(g, losses, ops.div(g, isTarget, count)), [1], false)
}
