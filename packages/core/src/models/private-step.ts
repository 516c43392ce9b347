import { type Graph, type GraphBuilder, ops, perRecordGradients, type Value } from '../autodiff/index.ts'

/** The name under which the records' gradients of a trained tensor leave the graph of the private step. */
export function gradientName(parameter: string): string {
  return `gradient:${parameter}`
}

/**
 * The graph that ends in the records' own gradients, which the host clips, rounds and adds up.
 *
 * Outputs: `losses` [N], and for each trained tensor {@link gradientName} [N, ...shape], in the tensor's layout. Row n
 * depends on record n only.
 *
 * @param parameters the inputs of the graph that may be trained, by name
 * @param trained names among them
 */
export function privateStepGraph(
  g: GraphBuilder,
  losses: Value,
  parameters: ReadonlyMap<string, Value>,
  trained: readonly string[],
): Graph {
  const gradients = perRecordGradients(
    g,
    losses,
    trained.map((name) => parameters.get(name)!),
  )
  const outputs = gradients.map(({ value, transposed }, index) => {
    return [gradientName(trained[index]!), transposed ? ops.transposeMatrix(g, value) : value] as const
  })
  return g.build({ losses, ...Object.fromEntries(outputs) })
}
