import { type GraphBuilder, ops, SEQUENCE, type Value } from '../../autodiff/index.ts'

/** The scaling of Llama 3.1: long wavelengths are stretched by `factor`, short ones stay, those between are blended. */
export interface Llama3Scaling {
  readonly factor: number
  readonly lowFrequencyFactor: number
  readonly highFrequencyFactor: number
  /** The context that the model was first trained for. */
  readonly originalMaxTokens: number
}

export interface RotaryConfig {
  readonly headWidth: number
  readonly theta: number
  readonly maxTokens: number
  readonly scaling?: Llama3Scaling
}

/** The cosines and sines of a run's positions: each [T, 1, headWidth]. */
export interface RotaryTables {
  readonly cosines: Value
  readonly sines: Value
}

/** Tables for the positions of token ids [N, T]: constants of `maxTokens` rows, of which a run reads the first T. */
export function rotaryTables(g: GraphBuilder, tokenIds: Value, config: RotaryConfig): RotaryTables {
  const { headWidth, maxTokens } = config
  const frequencies = rotaryFrequencies(config)
  const table = (name: string, f: (angle: number) => number): Value => {
    const data = new Float32Array(maxTokens * headWidth)
    for (let index = 0; index < data.length; index++) {
      const [position, place] = [Math.floor(index / headWidth), index % headWidth]
      // angles are rounded to float32, as in the code that the checkpoints were trained with
      data[index] = f(Math.fround(position * frequencies[place % frequencies.length]!))
    }
    const rows = ops.firstRows(g, g.weight({ name, shape: [maxTokens, headWidth], data }), tokenIds, 1)
    return ops.reshape(g, rows, [SEQUENCE, 1, headWidth])
  }
  return { cosines: table('rotary.cosines', Math.cos), sines: table('rotary.sines', Math.sin) }
}

/**
 * Rotary position embedding (Su et al. 2021, arXiv 2104.09864) of [N, T, heads, headWidth], with the two members of
 * each rotated pair half a head apart, as the checkpoints have them.
 */
export function rotate(g: GraphBuilder, x: Value, { cosines, sines }: RotaryTables): Value {
  const half = (x.shape.at(-1) as number) / 2
  const [first, second] = ops.split(g, x, -1, [half, half]) as [Value, Value]
  const turned = ops.concat(g, [ops.neg(g, second), first], -1)
  return ops.add(g, ops.mul(g, x, cosines), ops.mul(g, turned, sines))
}

/** headWidth / 2 frequencies in float32, from the fastest to the slowest. */
function rotaryFrequencies({ headWidth, theta, scaling }: RotaryConfig): Float32Array {
  const plain = Float32Array.from({ length: headWidth / 2 }, (_, index) => theta ** ((-2 * index) / headWidth))
  return scaling ? plain.map((frequency) => scaled(frequency, scaling)) : plain
}

function scaled(frequency: number, scaling: Llama3Scaling): number {
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxTokens } = scaling
  const turns = (originalMaxTokens * frequency) / (2 * Math.PI)
  const share = Math.min(1, Math.max(0, (turns - low) / (high - low)))
  return (share + (1 - share) / factor) * frequency
}
