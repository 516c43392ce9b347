import { fetchRuns } from '../coordinator-requests.ts'
import type { OperatorAccess } from '../operator-client.ts'
import { findNamed } from './find.ts'

/** The identifier of the run that a person means. @throws FedsvdError RUN_NOT_FOUND, as {@link findNamed} */
export async function runNamed(access: OperatorAccess, given: string): Promise<string> {
  return await findNamed(given, {
    what: 'run',
    code: 'RUN_NOT_FOUND',
    list: async () => (await fetchRuns(access)).map((run) => ({ id: run.runId, name: run.name })),
  })
}
