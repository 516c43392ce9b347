import { createHash } from 'node:crypto'
import { canonicalSchema } from '@fedsvd/core/adapters'
import { FedsvdError } from '@fedsvd/core/errors'
import { decodeState, type RunSnapshot, readFrameBasis } from '@fedsvd/core/protocol'
import { writeAdapter } from '@fedsvd/engine/peft'
import { fetchAdapterFrame, fetchRun, type OperatorAccess } from './operator-client.ts'

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()

/** What the metadata of an exported adapter says about each client's privacy. */
export interface PrivacyStatement {
  readonly name: string
  readonly epsilonUpperBound: number
  readonly delta: number
  readonly unit: 'record' | 'client'
  readonly relation: 'add-or-remove-one'
  readonly adversary: string
}

/**
 * Fetches the newest state of a run and writes it as a PEFT adapter.
 *
 * @returns the files written
 * @throws FedsvdError RUN_STATE when no round has been published yet
 */
export async function exportAdapter(access: OperatorAccess, runId: string, folder: string): Promise<string[]> {
  const run = await fetchRun(access, runId)
  if (run.adapter === undefined) {
    throw new FedsvdError('RUN_STATE', {
      expected: 'a published round',
      got: 'none yet',
      remedy: 'Wait for the first round to close',
    })
  }
  const { adapter: schema, model, labels } = run.manifest
  const frame = await fetchAdapterFrame(access, runId)
  const basis = readFrameBasis(frame)
  const state = decodeState(
    { runId, schemaHash: createHash('sha256').update(canonicalSchema(schema)).digest('hex'), adapter: schema, basis },
    frame,
    sha256,
  )
  return writeAdapter(folder, state, {
    schema,
    baseModel: model.name,
    labels,
    featureScale: model.featureScale,
    metadata: {
      runId,
      rounds: String(run.roundsDone),
      privacy: JSON.stringify(statementsOf(run)),
    },
  })
}

/** Every epsilon of a run with what it means: one entry for each client and unit. */
export function statementsOf({ clients }: Pick<RunSnapshot, 'clients'>): PrivacyStatement[] {
  return clients.flatMap(({ name, clientLevel, ...record }) =>
    [record, ...(clientLevel ? [clientLevel] : [])].map(({ epsilonUpperBound, delta, unit, adversary }) => {
      return { name, epsilonUpperBound, delta, unit, relation: 'add-or-remove-one', adversary }
    }),
  )
}
