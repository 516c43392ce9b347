import { BATCH, GraphBuilder, ops, SEQUENCE } from '@fedsvd/core/autodiff'
import type { RunnerFactory } from '../runtime/index.ts'
import { unfit } from './unfit.ts'

/** So many values at once that no library computes them on the host, as some do with short tensors. */
const SHAPE = [64, 128] as const

/**
 * What is asked for, and what it has to be. Each is scaled, because a cast that relabels bytes may look right as it
 * leaves.
 */
const EXPECTED: Readonly<Record<'bools' | 'integers', (value: number) => number>> = {
  bools: (value) => 0.5 * Number(value > 0),
  integers: (value) => 0.25 * value,
}

/**
 * Holds a runtime's casts of bool and int32 to float32 against the values that they have to have. A cast that leaves
 * the bytes as they are makes every mask and every label something else.
 *
 * @throws FedsvdError RUNTIME_UNAVAILABLE
 */
export async function requireCasts(createRunner: RunnerFactory): Promise<void> {
  const g = new GraphBuilder()
  const x = g.input('x', 'int32', [BATCH, SEQUENCE])
  const isPositive = ops.greater(g, x, ops.reshape(g, g.indices([0]), []))
  const bools = ops.scale(g, ops.toFloat(g, isPositive), 0.5)
  const integers = ops.scale(g, ops.toFloat(g, x), 0.25)
  await using runner = await createRunner(g.build({ bools, integers }), 'casts')
  const data = Int32Array.from({ length: SHAPE[0] * SHAPE[1] }, (_, at) => (at % 2 === 0 ? -at : at))
  const outputs = await runner.run({ x: { shape: SHAPE, data } })
  for (const [name, expectedOf] of Object.entries(EXPECTED)) {
    const found = outputs[name]!.data
    const wrong = data.findIndex((value, at) => found[at] !== expectedOf(value))
    if (wrong < 0) continue
    throw unfit(
      'a Cast to float32 that makes 0 and 1 of false and true, and of an int32 its value',
      `${found[wrong]} in place of ${expectedOf(data[wrong]!)}`,
      `${data.length} made-up integers`,
    )
  }
}
