import { type AdapterSchema, type AdapterState, stateFromTensors, stateSpecs, tensorsOfState } from '../lora/index.ts'
import { decodeFrame, encodeFrame, type FrameExpectation, NO_CLIENT, type Sha256, viewFrame } from './frame.ts'

/** Which published state a frame holds. In a `state` frame the field `round` is the basis, too. */
export interface StateOfRun {
  readonly runId: string
  /** Hex SHA-256 of `canonicalSchema(adapter)`, as in every frame of the run. */
  readonly schemaHash: string
}

/** The state that a frame is expected to hold. */
export interface ExpectedState extends StateOfRun {
  readonly adapter: AdapterSchema
  readonly basis: number
}

/** The `state` frame in which a coordinator publishes an adapter state. */
export function encodeState({ runId, schemaHash }: StateOfRun, state: AdapterState, sha256: Sha256): Uint8Array {
  const { basis } = state
  const header = { kind: 'state', round: basis, basis, runId, clientId: NO_CLIENT, schemaHash } as const
  return encodeFrame({ ...header, tensors: tensorsOfState(state) }, sha256)
}

/** Decodes a `state` frame that must be of this run, basis and schema. @throws FedsvdError as `decodeFrame` does */
export function decodeState(expected: ExpectedState, bytes: Uint8Array, sha256: Sha256): AdapterState {
  const { tensors } = decodeFrame(bytes, expectationOf(expected), sha256)
  return stateFromTensors(expected.adapter, expected.basis, tensors)
}

/** As {@link decodeState}, for bytes of a store that names them by their hash: see {@link viewFrame}. */
export function viewState(expected: ExpectedState, bytes: Uint8Array): AdapterState {
  const { tensors } = viewFrame(bytes, expectationOf(expected))
  return stateFromTensors(expected.adapter, expected.basis, tensors)
}

function expectationOf({ runId, schemaHash, adapter, basis }: ExpectedState): FrameExpectation {
  return { kind: 'state', round: basis, basis, runId, clientId: NO_CLIENT, schemaHash, specs: stateSpecs(adapter) }
}
