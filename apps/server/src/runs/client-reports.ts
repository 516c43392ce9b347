import { FedsvdError } from '@fedsvd/core/errors'
import { isRunActive, type LedgerReply, type LedgerReport, type RoundFailed } from '@fedsvd/core/protocol'
import type { RunOwnership } from '../ownership/index.ts'
import { leaseLost, type RunRecord } from '../storage/records/index.ts'
import type { ActiveRun } from './active-run.ts'
import type { ConnectedClients } from './connected-clients.ts'
import { acceptLedgerReport } from './ledger-report.ts'
import { participantIn } from './participant.ts'
import type { RunRegistry } from './registry.ts'
import type { RunParts } from './run-parts.ts'

export interface ClientReportsParts extends Pick<RunParts, 'store' | 'alerts' | 'caps' | 'clock' | 'metrics'> {
  readonly registry: RunRegistry
  readonly ownership: RunOwnership
  readonly connectedClients: ConnectedClients
  readonly active: ReadonlyMap<string, ActiveRun>
}

/** What clients tell of themselves: what their ledgers hold, rounds that failed, and what is wrong with a client. */
export class ClientReports {
  readonly #parts: ClientReportsParts

  constructor(parts: ClientReportsParts) {
    this.#parts = parts
  }

  /**
   * Answers a report, or has it answered by the owner of the run; one that was forwarded already is not sent on again.
   */
  async ledger(clientId: string, report: LedgerReport, from: 'client' | 'forwarded' = 'client'): Promise<LedgerReply> {
    const { store, clock, caps, metrics, active, registry, ownership, connectedClients } = this.#parts
    const { runId } = report
    await connectedClients.offered(clientId, runId)
    const live = active.get(runId)
    const record = live === undefined ? await registry.find(runId) : undefined
    if (record !== undefined && isRunActive(record.state)) {
      if (from === 'forwarded') throw leaseLost(runId)
      return await ownership.report(clientId, report)
    }
    const { manifest } = live?.settings ?? record!
    const participant = live?.participants.find(clientId) ?? (await participantIn(store, runId, clientId))
    if (participant === undefined) {
      throw new FedsvdError('FORBIDDEN', {
        expected: 'a report from a client that takes part in the run',
        got: `client ${clientId}, which does not`,
        remedy: 'Accept the offer of the run first.',
      })
    }
    const alerts = this.#parts.alerts.of(runId)
    const reply = await acceptLedgerReport(report, { manifest, participant, store, alerts, now: clock.now(), live })
    if (!reply.agrees) metrics.ledgerDisagreements.inc()
    if (live === undefined) await caps.load()
    return reply
  }

  /** A client reports that a round failed at it; forwarded to the owner of the run, and dropped where none is open. */
  async roundFailed(clientId: string, failure: RoundFailed, from: 'client' | 'forwarded' = 'client'): Promise<void> {
    const { active, registry, ownership } = this.#parts
    const { runId } = failure
    const live = active.get(runId)
    if (live !== undefined) return await live.failures.report(clientId, failure)
    if (from === 'client' && isRunActive((await registry.find(runId)).state)) await ownership.failed(clientId, failure)
  }

  /** Tells the operators of every open run that a client takes part in, or else of its newest one. */
  async alertAbout(clientId: string, { code, message }: FedsvdError): Promise<void> {
    const { store, alerts, active, registry } = this.#parts
    const runs: RunRecord[] = []
    for (const { runId } of await store.participants.ofClient(clientId)) runs.push(await registry.find(runId))
    const open = runs.filter(({ state }) => isRunActive(state))
    const newest = runs.toSorted((left, right) => right.createdAt - left.createdAt).slice(0, 1)
    for (const { manifest } of open.length > 0 ? open : newest) {
      const live = active.get(manifest.runId)
      if (live !== undefined) await live.messages.alert(code, message, clientId)
      else await alerts.of(manifest.runId).raise(code, message, clientId)
    }
  }
}
