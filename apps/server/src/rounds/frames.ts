import { createHash } from 'node:crypto'
import { type AdapterState, stateFromTensors, stateSpecs, tensorsOfState, trainedSpecs } from '@fedsvd/core/adapters'
import { decodeFrame, encodeFrame, NO_CLIENT, type RunManifest } from '@fedsvd/core/protocol'
import type { NamedTensor } from '@fedsvd/core/tensor'

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()

type Public = Pick<RunManifest, 'runId' | 'adapter'>

/** The `state` frame of an adapter state. */
export function encodeState({ runId }: Public, schemaHash: string, state: AdapterState): Uint8Array {
  const { basis } = state
  return encodeFrame(
    { kind: 'state', round: basis, basis, runId, clientId: NO_CLIENT, schemaHash, tensors: tensorsOfState(state) },
    sha256,
  )
}

/** @throws FedsvdError as `decodeFrame` does */
export function decodeState(
  { runId, adapter }: Public,
  schemaHash: string,
  basis: number,
  bytes: Uint8Array,
): AdapterState {
  const specs = stateSpecs(adapter)
  const expected = { kind: 'state' as const, round: basis, basis, runId, clientId: NO_CLIENT, schemaHash, specs }
  return stateFromTensors(adapter, basis, decodeFrame(bytes, expected, sha256).tensors)
}

/** The tensors of an update of this client for this round and basis. @throws FedsvdError as `decodeFrame` does */
export function decodeUpdate(
  { runId, adapter }: Public,
  expected: { readonly schemaHash: string; readonly round: number; readonly basis: number; readonly clientId: string },
  bytes: Uint8Array,
): readonly NamedTensor[] {
  const expectation = { ...expected, kind: 'update' as const, runId, specs: trainedSpecs(adapter) }
  return decodeFrame(bytes, expectation, sha256).tensors
}
