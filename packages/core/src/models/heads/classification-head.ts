import { type GraphBuilder, ops, type Value } from '../../autodiff/index.ts'
import type { TensorSpec } from '../../tensor/index.ts'
import type { EncoderConfig } from '../architectures/encoder-config.ts'
import { classify, headSpecs } from './classifier.ts'
import type { TokenOutput } from './token-outputs.ts'

/** What makes logits of an encoder's features. */
export interface ClassificationHead {
  /** In the order in which a state lists them. The last weight is the output layer's. */
  readonly specs: readonly TensorSpec[]
  /**
   * Logits [N, classes] of features [N, width]. `featureScale` multiplies what the output layer sees, so that a weight
   * `featureScale` times as large does without it.
   */
  logits(g: GraphBuilder, features: Value, parameter: (spec: TensorSpec) => Value, featureScale: number): Value
}

/** One linear layer: BERT's `classifier`. */
export function linearHead(width: number, classes: number): ClassificationHead {
  const specs = headSpecs(width, classes)
  return {
    specs,
    logits: (g, features, parameter, featureScale) =>
      classify(g, ops.scale(g, features, featureScale), parameter(specs[0]), parameter(specs[1])),
  }
}

/** A layer of the encoder's width with an activation, then the output layer. */
export function deepHead(
  { dense, out, activation }: { dense: string; out: string; activation: (g: GraphBuilder, x: Value) => Value },
  width: number,
  classes: number,
): ClassificationHead {
  const [denseWeight, denseBias] = [
    { name: `${dense}.weight`, shape: [width, width] },
    { name: `${dense}.bias`, shape: [width] },
  ]
  const [outWeight, outBias] = [
    { name: `${out}.weight`, shape: [classes, width] },
    { name: `${out}.bias`, shape: [classes] },
  ]
  return {
    specs: [denseWeight!, denseBias!, outWeight!, outBias!],
    logits: (g, features, parameter, featureScale) => {
      const inner = activation(g, classify(g, features, parameter(denseWeight!), parameter(denseBias!)))
      return classify(g, ops.scale(g, inner, featureScale), parameter(outWeight!), parameter(outBias!))
    },
  }
}

/** The head of an encoder as Hugging Face's `...ForSequenceClassification` has it, under its names. */
export function encoderHead({ family, width }: EncoderConfig, classes: number): ClassificationHead {
  switch (family) {
    case 'bert':
      return linearHead(width, classes)
    case 'roberta':
      return deepHead({ dense: 'classifier.dense', out: 'classifier.out_proj', activation: ops.tanh }, width, classes)
    case 'distilbert':
      return deepHead({ dense: 'pre_classifier', out: 'classifier', activation: ops.relu }, width, classes)
  }
}

/** The head of a tagger: what `...ForTokenClassification` of every family of encoders calls its one layer. */
export function encoderTags(classes: number): TokenOutput {
  return { kind: 'tags', classes, headName: 'classifier' }
}
