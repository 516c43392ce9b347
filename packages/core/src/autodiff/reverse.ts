import { FedsvdError } from '../errors.ts'
import { type Adjoint, dense, materialise, type PerRecordGradient } from './adjoint.ts'
import type { GraphBuilder } from './builder.ts'
import { add, expandLike } from './operators.ts'
import { RECORD_RULES } from './record-rules.ts'
import { BATCH, formatShape, isPerRecord, type Operation, type Value } from './value.ts'
import { WEIGHT_RULES } from './weight-rules.ts'

/**
 * Appends the operations that compute, for every record n, the gradient of `losses[n]` with respect to each trained
 * tensor: reverse-mode differentiation in which a tensor that all records share gets one gradient per record.
 *
 * Only what lies between a trained tensor and the loss is differentiated: frozen weights get no gradient, and nothing
 * below the lowest trained tensor is visited.
 *
 * Requires that record n's loss depends on record n only, which holds when records lie along the leading axis [N, ...]
 * of every value and no operation mixes them. Throws GRAPH_INVALID when `losses` is not [N], when a trained tensor does
 * not reach it, or when an operator on the way has no rule.
 */
export function perRecordGradients(
  g: GraphBuilder,
  losses: Value,
  trained: readonly Value[],
): readonly PerRecordGradient[] {
  if (losses.shape.length !== 1 || losses.shape[0] !== BATCH) {
    throw invalid(`losses of shape [${BATCH}]`, formatShape(losses.shape))
  }
  const forward = [...g.operations]
  const active = new Set(trained.map(({ name }) => name))
  for (const { inputs, outputs } of forward) {
    if (inputs.some(({ name }) => active.has(name))) for (const { name } of outputs) active.add(name)
  }
  const adjoints = new Map<string, Adjoint[]>([[losses.name, [dense(expandLike(g, g.scalar(1), losses))]]])
  for (const operation of forward.reverse()) {
    if (!operation.outputs.some(({ name }) => active.has(name) && adjoints.has(name))) continue
    const wants = (index: number) => active.has(operation.inputs[index]!.name)
    differentiate(g, operation, adjoints, wants).forEach((adjoint, index) => {
      if (!adjoint || !wants(index)) return
      const { name } = operation.inputs[index]!
      adjoints.set(name, [...(adjoints.get(name) ?? []), adjoint])
    })
  }
  return trained.map((parameter) => {
    const contributions = adjoints.get(parameter.name)
    if (!contributions)
      throw invalid('every trained tensor to influence the loss', `"${parameter.name}", which does not`)
    return materialise(g, parameter, contributions)
  })
}

/** The contributions of one operation to the adjoints of its inputs. */
function differentiate(
  g: GraphBuilder,
  operation: Operation,
  adjoints: ReadonlyMap<string, readonly Adjoint[]>,
  wants: (index: number) => boolean,
): readonly (Adjoint | undefined)[] {
  const [output] = operation.outputs
  if (isPerRecord(output!)) {
    const rule = RECORD_RULES[operation.op]
    if (!rule) throw invalid('an operator with a derivative rule', operation.op)
    const sums = operation.outputs.map(({ name }) => sumDense(g, adjoints.get(name)))
    return rule({ g, operation, adjoints: sums, wants })
  }
  const rule = WEIGHT_RULES[operation.op]
  const parts = adjoints.get(output!.name)!
  const outer = parts.filter((part) => part.kind === 'outer')
  if (!rule || outer.length !== 1 || parts.length !== 1) {
    throw invalid(
      'a shared weight that is used once, in a matrix product',
      `${operation.op} used ${parts.length} times`,
    )
  }
  return rule(g, operation, outer[0]!, wants)
}

function sumDense(g: GraphBuilder, parts: readonly Adjoint[] | undefined): Value | undefined {
  if (!parts) return undefined
  return parts
    .map((part) => {
      if (part.kind === 'dense') return part.value
      throw invalid('a derivative per element of a per-record value', 'an outer product')
    })
    .reduce((sum, part) => add(g, sum, part))
}

function invalid(expected: string, got: string): FedsvdError {
  return new FedsvdError('GRAPH_INVALID', { expected, got, remedy: 'Correct the model, or add the rule it needs.' })
}
