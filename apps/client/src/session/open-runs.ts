import { eventOfRound, type SiteUnit, unitOfRun } from '@fedsvd/core/accounting'
import { FedsvdError } from '@fedsvd/core/errors'
import type { PrivacyTerms, RunManifest } from '@fedsvd/core/protocol'
import type { PrivateEngine } from '@fedsvd/engine/training'
import type { EncodedRecords, EncodedStores, SiteData } from '../data/index.ts'
import { type BoundRun, canonicalJson, type PrivacyLedger, sha256Hex, spentEvents } from '../ledger/index.ts'
import { termsFor } from './terms.ts'

/** A run that this node takes part in, as long as the process lives. */
export interface OpenRun {
  readonly manifest: RunManifest
  readonly bound: BoundRun
  /** The site's records as the run's model takes them. */
  readonly records: EncodedRecords
  /** The run's engine, made when it is first asked for. */
  engine(): Promise<PrivateEngine>
  close(): Promise<void>
}

export interface AgreementParts {
  readonly coordinator: string
  readonly site: SiteData
  readonly declaredRecords: number
  readonly ledger: PrivacyLedger
  readonly stores: EncodedStores
  /** Aborted when the node is stopped. */
  readonly signal: AbortSignal
  engineFor(manifest: RunManifest): Promise<PrivateEngine>
}

/**
 * Agrees to a run on terms of this node's own making, durably and once: offered again, it gets the same terms.
 *
 * @throws FedsvdError LABEL_UNKNOWN, DATA_CHANGED, DELTA_TOO_LARGE, BUDGET_TOO_SMALL, CONFIG_INVALID, TERMS_CHANGED (another
 *   manifest under a known identifier)
 */
export async function agreeTo(manifest: RunManifest, parts: AgreementParts, known?: OpenRun): Promise<OpenRun> {
  const { ledger, site, stores, coordinator, signal } = parts
  site.requireUnchanged()
  requireUnitOf(site, unitOfRun(manifest))
  const terms = ledger.state.runs.get(manifest.runId)?.terms ?? newTerms(manifest, parts)
  const bound: BoundRun = {
    runId: manifest.runId,
    coordinator,
    manifestSha256: sha256Hex(canonicalJson(manifest)),
    terms,
    event: eventOfRound(manifest, terms),
  }
  const records = known?.records ?? (await stores.open(manifest, signal))
  try {
    ledger.bind(bound)
  } catch (error) {
    if (known === undefined) records.close()
    throw error
  }
  if (known !== undefined) return known
  let engine: Promise<PrivateEngine> | undefined
  return {
    manifest,
    bound,
    records,
    engine: () => {
      engine ??= parts.engineFor(manifest)
      engine.catch(() => {
        engine = undefined // the next round tries again
      })
      return engine
    },
    close: async () => {
      records.close()
      const made = await engine?.catch(() => undefined)
      await made?.[Symbol.asyncDispose]()
    },
  }
}

/** A site counts persons exactly where it names a column for them, and takes part in runs of its unit only. */
function requireUnitOf({ unit }: SiteData, asked: SiteUnit): void {
  if (unit === asked && unit === 'record') return // the engine does not clip persons yet
  throw new FedsvdError('SITE_DECLINED', {
    expected: `a run whose unit of privacy is the ${unit}, as this site ${unit === 'person' ? 'names' : 'does not name'} a unit column`,
    got: `one whose unit is the ${asked}`,
    remedy:
      unit === 'person' ? 'Ask for a run with persons as units' : 'Start the client with --unit-column to take part',
  })
}

function newTerms(manifest: RunManifest, { ledger, site, declaredRecords }: AgreementParts): PrivacyTerms {
  const { budget } = ledger.state
  return termsFor(manifest, { records: site.records, declaredRecords, budget, spent: spentEvents(ledger.state) })
}
