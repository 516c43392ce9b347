import { fillGaussian, seededSource } from '../random/index.ts'
import { type NamedTensor, sizeOf, type TensorSpec, zerosLike } from '../tensor/index.ts'
import { DEFAULT_INITIALISER, drawA } from './initialisers/initialisers.ts'
import { type AdapterSchema, type AdapterState, specOfA, specOfB } from './schema.ts'
import { checkSchema } from './validate.ts'

/**
 * The state that a run starts from, a pure function of the schema and a public seed: basis 0, B = 0 (so the model is
 * the base model), and the head that is given, or else one that is drawn: frozen, of N(0, 1 / columns); trained, with
 * an output layer of zeros behind weights of N(0, 1 / columns) in the layers before it.
 *
 * @throws FedsvdError ADAPTER_INVALID when no factorisation fits the schema, CONFIG_INVALID for an unknown initialiser
 */
export function initialState(
  schema: AdapterSchema,
  {
    seed,
    initialiser = DEFAULT_INITIALISER,
    head,
  }: {
    readonly seed: string
    /** The name of a registered one. */
    readonly initialiser?: string | undefined
    /** A head that was trained before, in the order of the schema. */
    readonly head?: readonly NamedTensor[] | undefined
  },
): AdapterState {
  checkSchema(schema)
  return {
    basis: 0,
    a: schema.layers.map((layer) => {
      const spec = specOfA(schema, layer)
      const normals = (): Float32Array => gaussian(spec, 1, seed).data
      return { ...spec, data: drawA(initialiser, { layer, rank: schema.rank, normals }) }
    }),
    b: schema.layers.map((layer) => zerosLike(specOfB(schema, layer))),
    head: head ?? drawnHead(schema, seed),
  }
}

/**
 * Zeros in an output layer that is trained give a model that says nothing yet; before it they would stop every
 * gradient.
 */
function drawnHead({ head, headMode }: AdapterSchema, seed: string): readonly NamedTensor[] {
  const output = head.findLastIndex(({ name }) => name.endsWith('.weight'))
  return head.map((spec, index) => {
    const isZero = headMode === 'trained' && (index >= output || !spec.name.endsWith('.weight'))
    return isZero ? zerosLike(spec) : gaussian(spec, Math.sqrt(1 / (spec.shape.at(-1) ?? 1)), seed)
  })
}

/**
 * Independent normal values; every tensor has a stream of its own, so one layer's draw does not depend on another's.
 */
function gaussian({ name, shape }: TensorSpec, standardDeviation: number, seed: string): NamedTensor {
  const data = new Float32Array(sizeOf(shape))
  fillGaussian(seededSource(seed, 'initial', name), data)
  return { name, shape, data: data.map((value) => value * standardDeviation) }
}
