import {
  type AdapterSchema,
  type AdapterState,
  stateFromTensors,
  stateSpecs,
  tensorsOfState,
} from '../adapters/index.ts'
import { decodeFrame, encodeFrame, NO_CLIENT, type Sha256 } from './frame.ts'

/** Which published state a frame holds. In a `state` frame the field `round` is the basis, too. */
export interface StateOfRun {
  readonly runId: string
  /** Hex SHA-256 of `canonicalSchema(adapter)`, as in every frame of the run. */
  readonly schemaHash: string
}

/** The `state` frame in which a coordinator publishes an adapter state. */
export function encodeState({ runId, schemaHash }: StateOfRun, state: AdapterState, sha256: Sha256): Uint8Array {
  const { basis } = state
  const header = { kind: 'state', round: basis, basis, runId, clientId: NO_CLIENT, schemaHash } as const
  return encodeFrame({ ...header, tensors: tensorsOfState(state) }, sha256)
}

/** Decodes a `state` frame that must be of this run, basis and schema. @throws FedsvdError as `decodeFrame` does */
export function decodeState(
  { runId, schemaHash, adapter, basis }: StateOfRun & { readonly adapter: AdapterSchema; readonly basis: number },
  bytes: Uint8Array,
  sha256: Sha256,
): AdapterState {
  const header = { kind: 'state', round: basis, basis, runId, clientId: NO_CLIENT, schemaHash } as const
  return stateFromTensors(adapter, basis, decodeFrame(bytes, { ...header, specs: stateSpecs(adapter) }, sha256).tensors)
}
