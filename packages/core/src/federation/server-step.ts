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
import { nextState } from './methods/methods.ts'

/** What a step of the coordinator starts from. */
export interface ServerStepInput {
  readonly manifest: { readonly method: string; readonly adapter: AdapterSchema }
  readonly state: AdapterState
  readonly mean: readonly NamedTensor[]
}

/**
 * One step of the coordinator: B <- B + mean (and the head, where it is trained), then what the method of the run
 * makes of it. It sees only what clients have already privatised, so nothing here can cost privacy.
 *
 * @returns the next state and the singular values of each layer's B A
 */
export function serverStep({ manifest, state, mean }: ServerStepInput): RefactorisedState {
  const updated = applyMean(manifest.adapter, state, mean)
  return withMethod(manifest, updated, refactorise(manifest.adapter, updated))
}

/** {@link serverStep} with its large products on a device, to the device's tolerances: see `refactoriseOnDevice`. */
export async function serverStepOnDevice(
  device: LinearAlgebraDevice,
  { manifest, state, mean }: ServerStepInput,
): Promise<DeviceRefactorised> {
  const updated = applyMean(manifest.adapter, state, mean)
  const refactorised = await refactoriseOnDevice(device, manifest.adapter, updated)
  return withMethod(manifest, updated, refactorised)
}

function withMethod<T extends RefactorisedState>(
  { method, adapter: schema }: ServerStepInput['manifest'],
  updated: AdapterState,
  made: T,
): T {
  const { state: refactorised, spectra } = made
  return { ...made, state: nextState(method, { schema, updated, refactorised, spectra }) }
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
