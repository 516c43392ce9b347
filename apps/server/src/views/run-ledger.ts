import { mechanismKey } from '@fedsvd/core/accounting'
import type { ClientSpending, PrivacyTerms } from '@fedsvd/core/protocol'
import type { Store } from '../storage/records/index.ts'

/** The facts that count for each client of a run, by mechanism and round. */
export async function runLedger(
  { participants: stored, clients, ledger }: Pick<Store, 'participants' | 'clients' | 'ledger'>,
  runId: string,
  capOf: (clientId: string, terms: PrivacyTerms) => Promise<ClientSpending['cap']> = async () => undefined,
): Promise<ClientSpending[]> {
  const participants = await stored.ofRun(runId)
  const names = await clients.names(participants.map(({ clientId }) => clientId))
  const byClient = new Map<string, Map<string, ClientSpending['mechanisms'][number]>>()
  for (const { clientId, round, sampleRate, noiseMultiplier, steps } of await ledger.spendingByRound(runId)) {
    const mechanisms = byClient.get(clientId) ?? new Map<string, ClientSpending['mechanisms'][number]>()
    byClient.set(clientId, mechanisms)
    const key = mechanismKey({ sampleRate, noiseMultiplier })
    const mechanism = mechanisms.get(key) ?? { sampleRate, noiseMultiplier, spent: [] }
    mechanisms.set(key, mechanism)
    mechanism.spent.push([round, steps])
  }
  const caps = await Promise.all(participants.map(({ clientId, terms }) => capOf(clientId, terms)))
  return participants.map(({ clientId, terms, withdrawal }, index) => ({
    clientId,
    name: names.get(clientId) ?? clientId,
    terms,
    ...(withdrawal !== undefined && { withdrawal }),
    ...withCap(caps[index]),
    mechanisms: [...(byClient.get(clientId)?.values() ?? [])],
  }))
}

function withCap(cap: ClientSpending['cap']): Pick<ClientSpending, 'cap'> {
  return cap === undefined ? {} : { cap }
}
