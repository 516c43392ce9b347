import type { RunManifest } from '@fedsvd/core/protocol'
import {
  type EncodedRecord,
  encodeRecords,
  fingerprintRecords,
  loadRecords,
  type TextRecord,
} from '@fedsvd/engine/data'
import type { Tokenizer } from '@fedsvd/engine/tokenizer'

/** The records of this site. They stay in this process. */
export interface SiteData {
  readonly records: readonly TextRecord[]
  /** The name under which the ledger keeps the budget of these records. */
  readonly fingerprint: string
}

/** Reads the site's records. @throws FedsvdError DATA_UNREADABLE with file and line, DATA_EMPTY */
export async function loadSiteData(
  file: string,
  columns: { textColumn: string; labelColumn: string },
): Promise<SiteData> {
  const records = await loadRecords(file, columns)
  return { records, fingerprint: fingerprintRecords(records) }
}

/** Tokenises the records for a run. @throws FedsvdError LABEL_UNKNOWN */
export function tokenise(
  data: SiteData,
  tokenizer: Tokenizer,
  { labels, model }: RunManifest,
): readonly EncodedRecord[] {
  return encodeRecords(data.records, tokenizer, labels, model.maxTokens)
}

/**
 * The number of records that the site declares when it is not told one: rounded down to two significant digits, so that
 * adding or removing one record almost never shows.
 */
export function roundedDown(records: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(records)) - 1)
  return Math.floor(records / unit) * unit
}
