import { createHash } from 'node:crypto'
import { type AdapterSchema, type AdapterState, canonicalSchema } from '@fedsvd/core/lora'
import * as protocol from '@fedsvd/core/protocol'

export const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()

type Public = Pick<protocol.RunManifest, 'runId' | 'adapter'>

/** Hex SHA-256 of the canonical adapter schema: what frames carry. */
export function schemaHashOf(adapter: AdapterSchema): string {
  return createHash('sha256').update(canonicalSchema(adapter)).digest('hex')
}

/** The `state` frame of an adapter state. */
export function encodeState({ runId }: Public, schemaHash: string, state: AdapterState): Uint8Array {
  return protocol.encodeState({ runId, schemaHash }, state, sha256)
}

/** A published state that was read from the store, for reading. @throws FedsvdError as `decodeFrame` does */
export function decodeState(
  { runId, adapter }: Public,
  schemaHash: string,
  basis: number,
  bytes: Uint8Array,
): AdapterState {
  return protocol.viewState({ runId, schemaHash, adapter, basis }, bytes)
}

/**
 * The content of an update of this client for this round and basis, without a copy: the tensors are for reading.
 * `digest` is left out for bytes of the store, which gives none that do not have the hash that they are named by.
 *
 * @throws FedsvdError as `decodeFrame` does
 */
export function decodeUpdate(
  manifest: Public & Pick<protocol.RunManifest, 'adaptiveClipping' | 'siteEvaluation' | 'task' | 'labels'>,
  expected: { readonly schemaHash: string; readonly round: number; readonly basis: number; readonly clientId: string },
  bytes: Uint8Array,
  digest?: protocol.Sha256,
): protocol.UpdateContent {
  const specs = protocol.updateSpecs(manifest)
  const expectation = { ...expected, kind: 'update' as const, runId: manifest.runId, specs }
  return protocol.updateOfTensors(manifest, protocol.viewFrame(bytes, expectation, digest).tensors)
}
