import { createHash } from 'node:crypto'
import { serverStep, serverStepOnDevice } from '@fedsvd/core/federation'
import type { LinearAlgebraDevice } from '@fedsvd/core/linalg'
import { type AdapterSchema, trainedSpecs } from '@fedsvd/core/lora'
import { encodeState, viewState } from '@fedsvd/core/protocol'
import { type NamedTensor, sizeOf } from '@fedsvd/core/tensor'

/** What a step starts from, in a form that goes to another thread. */
export interface StepInput {
  readonly runId: string
  readonly method: string
  readonly adapter: AdapterSchema
  /** Hex SHA-256 of the canonical adapter schema. */
  readonly schemaHash: string
  readonly basis: number
  /** The frame of the published state that the round started from. */
  readonly frame: Uint8Array
  /** The values of the mean, tensor after tensor in the order of `trainedSpecs`. */
  readonly mean: Float32Array
}

/** How the factors of a step were made. */
export interface RefactorisationReport {
  /** As `LinearAlgebraDevice` names it, or `javascript`. */
  readonly device: string
  readonly seconds: number
  /** Layers that the device could not do within its tolerances, and that were done without it. */
  readonly fallbacks: readonly string[]
  /** Why the device did none of them, where it failed. */
  readonly failure?: string
}

export interface StepResult {
  /** The frame of the next state. */
  readonly frame: Uint8Array
  readonly basis: number
  readonly spectra: readonly Float64Array[]
  readonly report: RefactorisationReport
}

/** The name of the exact route, which needs no device. */
export const JAVASCRIPT = 'javascript'

/**
 * The next state of a run and its spectra: the mean is added to the base state, then the method's re-factorisation. A
 * device that fails does not fail the round: the exact route is taken in its place, and the report says why.
 */
export async function computeStep(input: StepInput, device?: LinearAlgebraDevice): Promise<StepResult> {
  const { runId, method, adapter, schemaHash, basis } = input
  const state = viewState({ runId, schemaHash, adapter, basis }, input.frame)
  const step = { manifest: { method, adapter }, state, mean: tensorsOf(adapter, input.mean) }
  const begin = performance.now()
  const made = device === undefined ? { ...serverStep(step), fallbacks: [] } : await onDevice(device, step)
  const seconds = (performance.now() - begin) / 1000
  const { fallbacks, failure } = { failure: undefined, ...made }
  return {
    frame: encodeState({ runId, schemaHash }, made.state, (bytes) => createHash('sha256').update(bytes).digest()),
    basis: made.state.basis,
    spectra: made.spectra,
    report: {
      device: device === undefined || failure !== undefined ? JAVASCRIPT : device.name,
      seconds,
      fallbacks,
      ...(failure !== undefined && { failure: `${device!.name}: ${failure}` }),
    },
  }
}

async function onDevice(device: LinearAlgebraDevice, step: Parameters<typeof serverStep>[0]) {
  try {
    return await serverStepOnDevice(device, step)
  } catch (error) {
    // What no route can do throws here again.
    const exact = serverStep(step)
    return { ...exact, fallbacks: [], failure: error instanceof Error ? error.message : String(error) }
  }
}

function tensorsOf(adapter: AdapterSchema, values: Float32Array): readonly NamedTensor[] {
  let offset = 0
  return trainedSpecs(adapter).map(({ name, shape }) => {
    const data = values.subarray(offset, offset + sizeOf(shape))
    offset += data.length
    return { name, shape, data }
  })
}
