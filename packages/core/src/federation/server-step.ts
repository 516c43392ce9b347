import type { LinearAlgebraDevice } from '../linalg/index.ts'
import {
  type AdapterSchema,
  type AdapterState,
  type DeviceRefactorised,
  type RefactorisedState,
  refactorise,
  refactoriseOnDevice,
} from '../lora/index.ts'
import type { NamedTensor } from '../tensor/index.ts'

/** What the coordinator does with the mean of a round's deltas. */
export type Method = 'fedsvd' | 'ffa-lora'

/** What a step of the coordinator starts from. */
export interface ServerStepInput {
  readonly manifest: { readonly method: Method; readonly adapter: AdapterSchema }
  readonly state: AdapterState
  readonly mean: readonly NamedTensor[]
}

/**
 * One step of the coordinator: B <- B + mean (and the head, where it is trained), then the method's re-factorisation.
 *
 * `fedsvd` re-factorises into A = V^T, B = U S and moves to the next basis; `ffa-lora` leaves A and the basis alone.
 * It sees only what clients have already privatised, so nothing here can cost privacy.
 *
 * @returns the next state and the singular values of each layer's B A
 */
export function serverStep({ manifest, state, mean }: ServerStepInput): RefactorisedState {
  const updated = applyMean(manifest.adapter, state, mean)
  return { ...refactorise(manifest.adapter, updated), ...(manifest.method === 'ffa-lora' && { state: updated }) }
}

/** {@link serverStep} with its large products on a device, to the device's tolerances: see `refactoriseOnDevice`. */
export async function serverStepOnDevice(
  device: LinearAlgebraDevice,
  { manifest, state, mean }: ServerStepInput,
): Promise<DeviceRefactorised> {
  const updated = applyMean(manifest.adapter, state, mean)
  const refactorised = await refactoriseOnDevice(device, manifest.adapter, updated)
  return { ...refactorised, ...(manifest.method === 'ffa-lora' && { state: updated }) }
}

function applyMean(schema: AdapterSchema, state: AdapterState, mean: readonly NamedTensor[]): AdapterState {
  const factors = mean.slice(0, schema.layers.length)
  const head = mean.slice(schema.layers.length)
  return {
    ...state,
    b: state.b.map((tensor, index) => sum(tensor, factors[index]!)),
    head: schema.headMode === 'trained' ? state.head.map((tensor, index) => sum(tensor, head[index]!)) : state.head,
  }
}

function sum(tensor: NamedTensor, delta: NamedTensor): NamedTensor {
  return { ...tensor, data: tensor.data.map((value, index) => value + delta.data[index]!) }
}
