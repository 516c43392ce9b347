import { type AdapterSchema, type AdapterState, canonicalSchema } from '@fedsvd/core/lora'
import { decodeState } from '@fedsvd/core/protocol'
import { sha256Hex } from '../ledger/index.ts'
import { sha256 } from './encode-update.ts'
import type { RoundParts } from './round-parts.ts'

/** What the fetching of a state needs of a round. */
export type StateParts = Pick<RoundParts, 'link' | 'moment' | 'invitation' | 'signal'>

/**
 * Fetches the published state and accepts it only when it is what the invitation names: size, hash, run, basis, schema,
 * finite values.
 *
 * @throws FedsvdError FRAME_CHECKSUM, FRAME_MALFORMED, SHAPE_MISMATCH, NOT_FINITE, BLOB_NOT_FOUND
 */
export async function loadState(
  { link, moment, invitation: { runId, basis, state }, signal }: StateParts,
  schema: AdapterSchema,
): Promise<AdapterState> {
  const bytes = await link.fetchState(state.sha256, state.bytes, signal, moment)
  return decodeState({ runId, schemaHash: schemaHash(schema), adapter: schema, basis }, bytes, sha256)
}

/** The adapter-schema hash on the wire. */
export function schemaHash(schema: AdapterSchema): string {
  return sha256Hex(canonicalSchema(schema))
}
