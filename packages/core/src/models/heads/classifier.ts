import { BATCH, type GraphBuilder, ops, type Value } from '../../autodiff/index.ts'
import type { TensorSpec } from '../../tensor/index.ts'

/** The head's tensors: `logits = features W^T + bias`. */
export function headSpecs(featureWidth: number, classes: number): readonly [TensorSpec, TensorSpec] {
  return [
    { name: 'classifier.weight', shape: [classes, featureWidth] },
    { name: 'classifier.bias', shape: [classes] },
  ]
}

/** Logits [..., classes] of features [..., width], with W [classes, width] and bias [classes]. */
export function classify(g: GraphBuilder, features: Value, weight: Value, bias: Value): Value {
  return ops.add(g, ops.matmul(g, features, ops.transposeMatrix(g, weight)), bias)
}

/** Cross-entropy of every record [N], in nats, for labels [N] (int32, 0 .. classes - 1). A foreign label gives 0. */
export function crossEntropy(g: GraphBuilder, logits: Value, labels: Value): Value {
  const classes = logits.shape[1] as number
  const range = g.indices(Array.from({ length: classes }, (_, index) => index))
  const oneHot = ops.toFloat(g, ops.equal(g, ops.reshape(g, labels, [BATCH, 1]), range))
  return ops.neg(g, ops.reduceSum(g, ops.mul(g, ops.logSoftmax(g, logits), oneHot), [1], false))
}
