import { thinQr } from '../linalg/index.ts'
import { fillGaussian, seededSource } from '../random/index.ts'
import { type NamedTensor, sizeOf, type TensorSpec, zerosLike } from '../tensor/index.ts'
import { type AdapterSchema, type AdapterState, specOfA, specOfB } from './schema.ts'
import { checkSchema } from './validate.ts'

/**
 * How the first A is drawn; both are public and touch no data.
 *
 * `orthonormal`: the rows are a uniformly random orthonormal set, as every A after a re-factorisation.
 * `kaiming`: independent N(0, 1 / (3 dIn)), the variance of PEFT's default (kaiming_uniform with a = sqrt 5).
 */
export type Initialiser = 'orthonormal' | 'kaiming'

/**
 * The state that a run starts from, a pure function of the schema and a public seed: basis 0, B = 0 (so the model is the
 * base model), and the head that is given, or else one that is drawn: frozen, of N(0, 1 / columns); trained, with an output
 * layer of zeros behind weights of N(0, 1 / columns) in the layers before it.
 *
 * @throws FedsvdError ADAPTER_INVALID when no factorisation fits the schema
 */
export function initialState(
  schema: AdapterSchema,
  {
    seed,
    initialiser = 'orthonormal',
    head,
  }: {
    readonly seed: string
    readonly initialiser?: Initialiser
    /** A head that was trained before, in the order of the schema. */
    readonly head?: readonly NamedTensor[] | undefined
  },
): AdapterState {
  checkSchema(schema)
  return {
    basis: 0,
    a: schema.layers.map((layer) => {
      const spec = specOfA(schema, layer)
      const scale = Math.sqrt(1 / (3 * layer.dIn))
      const draw = gaussian(spec, initialiser === 'kaiming' ? scale : 1, seed)
      return initialiser === 'kaiming' ? draw : withOrthonormalRows(draw)
    }),
    b: schema.layers.map((layer) => zerosLike(specOfB(schema, layer))),
    head: head ?? drawnHead(schema, seed),
  }
}

/** Zeros in an output layer that is trained give a model that says nothing yet; before it they would stop every gradient. */
function drawnHead({ head, headMode }: AdapterSchema, seed: string): readonly NamedTensor[] {
  const output = head.findLastIndex(({ name }) => name.endsWith('.weight'))
  return head.map((spec, index) => {
    const isZero = headMode === 'trained' && (index >= output || !spec.name.endsWith('.weight'))
    return isZero ? zerosLike(spec) : gaussian(spec, Math.sqrt(1 / (spec.shape.at(-1) ?? 1)), seed)
  })
}

/** Independent normal values; every tensor has a stream of its own, so one layer's draw does not depend on another's. */
function gaussian({ name, shape }: TensorSpec, standardDeviation: number, seed: string): NamedTensor {
  const data = new Float32Array(sizeOf(shape))
  fillGaussian(seededSource(seed, 'initial', name), data)
  return { name, shape, data: data.map((value) => value * standardDeviation) }
}

/** The row space of a rank x dIn tensor, as orthonormal rows (the transposed Q of its thin QR). */
function withOrthonormalRows(tensor: NamedTensor): NamedTensor {
  const [rank, dIn] = tensor.shape as [number, number]
  const { q } = thinQr({ rows: dIn, columns: rank, data: new Float64Array(tensor.data) })
  return { ...tensor, data: new Float32Array(q.data) }
}
