import type { NamedTensor, TensorSpec } from '../tensor/index.ts'

/** One linear layer `y = x W0^T + (alpha / rank) x A^T B^T` that carries an adapter; names as in the checkpoint. */
export interface AdaptedLayer {
  readonly name: string
  readonly dIn: number
  readonly dOut: number
}

/**
 * Which tensors a run adapts and how. It is public, agreed before the first round, and its hash is in every update
 * frame.
 *
 * `headMode` 'trained' puts the classification head into the same flat clip as the factors B;
 * 'frozen' keeps the random head of the paper.
 */
export interface AdapterSchema {
  readonly rank: number
  readonly alpha: number
  readonly layers: readonly AdaptedLayer[]
  readonly head: readonly TensorSpec[]
  readonly headMode: 'trained' | 'frozen'
}

/**
 * The factors that a round starts from: `a[i]` is rank x dIn, `b[i]` is dOut x rank, in the order of `schema.layers`;
 * `head` in the order of `schema.head`. `basis` counts re-factorisations: a delta of B has a meaning in one basis only.
 */
export interface AdapterState {
  readonly basis: number
  readonly a: readonly NamedTensor[]
  readonly b: readonly NamedTensor[]
  readonly head: readonly NamedTensor[]
}

/** PEFT's name and the shape (rank x dIn) of a layer's factor A. */
export function specOfA({ rank }: AdapterSchema, { name, dIn }: AdaptedLayer): TensorSpec {
  return { name: `${name}.lora_A.weight`, shape: [rank, dIn] }
}

/** PEFT's name and the shape (dOut x rank) of a layer's factor B. */
export function specOfB({ rank }: AdapterSchema, { name, dOut }: AdaptedLayer): TensorSpec {
  return { name: `${name}.lora_B.weight`, shape: [dOut, rank] }
}

/** The tensors that a client trains and uploads, in the order in which every part of the system lists them. */
export function trainedSpecs(schema: AdapterSchema): readonly TensorSpec[] {
  const factors = schema.layers.map((layer) => specOfB(schema, layer))
  return schema.headMode === 'trained' ? [...factors, ...schema.head] : factors
}

/** The current values of the trained tensors, in the order of {@link trainedSpecs}. */
export function trainedTensors(schema: AdapterSchema, state: AdapterState): readonly NamedTensor[] {
  return schema.headMode === 'trained' ? [...state.b, ...state.head] : state.b
}

/** The state with other values of the trained tensors, in the order of {@link trainedSpecs}. */
export function withTrained(schema: AdapterSchema, state: AdapterState, trained: readonly NamedTensor[]): AdapterState {
  const layers = schema.layers.length
  const head = schema.headMode === 'trained' ? trained.slice(layers) : state.head
  return { ...state, b: trained.slice(0, layers), head }
}

/** All tensors of a state (A, B, head), in the order in which they are published. */
export function stateSpecs(schema: AdapterSchema): readonly TensorSpec[] {
  return [
    ...schema.layers.map((layer) => specOfA(schema, layer)),
    ...schema.layers.map((layer) => specOfB(schema, layer)),
    ...schema.head,
  ]
}

/** A canonical text of the schema; its SHA-256 is the adapter-schema hash on the wire. */
export function canonicalSchema(schema: AdapterSchema): string {
  const { rank, alpha, headMode } = schema
  const layers = schema.layers.map(({ name, dIn, dOut }) => [name, dIn, dOut])
  const head = schema.head.map(({ name, shape }) => [name, shape])
  return JSON.stringify({ rank, alpha, headMode, layers, head })
}
