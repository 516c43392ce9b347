import type { Participant, Store } from '../storage/records/index.ts'

/** A client as it takes part in a run; undefined for one that does not. */
export async function participantIn(store: Store, runId: string, clientId: string): Promise<Participant | undefined> {
  return (await store.participants.ofRun(runId)).find((candidate) => candidate.clientId === clientId)
}
