import { FedsvdError } from '../errors.ts'
import { type GraphBuilder, ops, type Value } from '../graph/index.ts'

/** The activations of feed-forward layers, by the names that `config.json` has for them. */
export const ACTIVATIONS = { gelu, relu: ops.relu } as const satisfies Record<
  string,
  (g: GraphBuilder, x: Value) => Value
>

export type ActivationName = keyof typeof ACTIVATIONS

/** `x * P(Z <= x)` for a standard normal Z, exactly (Hendrycks and Gimpel 2016, arXiv 1606.08415, by the error function). */
function gelu(g: GraphBuilder, x: Value): Value {
  const likelihood = ops.add(g, ops.erf(g, ops.scale(g, x, Math.SQRT1_2)), g.scalar(1))
  return ops.mul(g, ops.scale(g, x, 0.5), likelihood)
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
