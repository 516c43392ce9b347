import { type GraphBuilder, ops, type Value } from '../../autodiff/index.ts'
import { FedsvdError } from '../../errors.ts'

/** The activations of feed-forward layers, by the names that `config.json` has for them. */
export const ACTIVATIONS = { gelu: ops.gelu, gelu_new: geluNew, relu: ops.relu, silu } as const satisfies Record<
  string,
  (g: GraphBuilder, x: Value) => Value
>

export type ActivationName = keyof typeof ACTIVATIONS

export const ACTIVATION_NAMES = Object.keys(ACTIVATIONS) as ActivationName[]

/**
 * GELU by its tanh approximation (Hendrycks and Gimpel 2016, arXiv 1606.08415), which the checkpoints were trained
 * with.
 */
function geluNew(g: GraphBuilder, x: Value): Value {
  const cube = ops.mul(g, ops.mul(g, x, x), x)
  const inner = ops.scale(g, ops.add(g, x, ops.scale(g, cube, 0.044715)), Math.sqrt(2 / Math.PI))
  return ops.mul(g, ops.scale(g, x, 0.5), ops.add(g, ops.tanh(g, inner), g.scalar(1)))
}

function silu(g: GraphBuilder, x: Value): Value {
  return ops.mul(g, x, ops.sigmoid(g, x))
}

/** @throws FedsvdError CHECKPOINT_INVALID for an activation that is not written here */
export function activationNamed(name: string): ActivationName {
  if (Object.hasOwn(ACTIVATIONS, name)) return name as ActivationName
  throw new FedsvdError('CHECKPOINT_INVALID', {
    expected: `an activation among ${Object.keys(ACTIVATIONS).join(', ')}`,
    got: name,
    remedy: 'Use a checkpoint with one of these; docs/reference/models.md lists what is supported.',
  })
}
