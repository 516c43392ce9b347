import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { RunManifest } from '@fedsvd/core/protocol'
import {
  type EncodedRecord,
  Fingerprinter,
  openRecordStore,
  openUnitIndex,
  RecordStoreWriter,
  type SiteRecord,
  taskEncoder,
  UnitGrouper,
} from '@fedsvd/engine/data'
import type { RecordSource } from '@fedsvd/engine/lots'
import type { Tokenizer } from '@fedsvd/engine/tokenizer'
import { canonicalJson, sha256Hex } from '../ledger/index.ts'
import { dataChanged, type SiteData } from './site-data.ts'

/** The records of a site as one run's model takes them, on disk; closing gives the place back. */
export interface EncodedRecords extends RecordSource {
  close(): void
}

/** Keeps the encoded records of one data set in the state folder: as token ids, for as long as a run needs them. */
export interface EncodedStores {
  /**
   * The records as a run takes them: from the store that an earlier process left, or read and tokenised once.
   *
   * @throws FedsvdError LABEL_UNKNOWN and DATA_UNREADABLE with their place, DATA_CHANGED when the file no longer holds the
   *   data set, CONFIG_INVALID for a run on records of another kind, and what the model's tokenizer is refused with
   * @throws the signal's reason when it aborts
   */
  open(manifest: RunManifest, signal: AbortSignal): Promise<EncodedRecords>
  /** Removes everything that no run has open. */
  prune(): void
}

/** The tokenizer of a run's model, read when a run asks for it. */
export type TokenizerFor = (model: RunManifest['model']) => Promise<Tokenizer>

export function encodedStores(stateDir: string, site: SiteData, tokenizerFor: TokenizerFor): EncodedStores {
  const folder = join(stateDir, 'encoded', site.fingerprint)
  const users = new Map<string, number>()
  const prune = (): void => {
    for (const name of namesIn(folder)) {
      if (!users.has(name.replace(/\.units$/, '.records'))) rmSync(join(folder, name), { force: true })
    }
  }
  return {
    prune,
    async open(manifest, signal) {
      const tokenizer = await tokenizerFor(manifest.model)
      const key = await keyOf(site, manifest, tokenizer)
      const name = `${key}.records`
      const path = join(folder, name)
      const unitsPath = join(folder, `${key}.units`)
      const { unit } = manifest
      let store = openRecordStore(path, key)
      let units = unit && openUnitIndex(unitsPath, key)
      if (store === undefined || (unit !== undefined && units === undefined)) {
        store?.[Symbol.dispose]()
        prune()
        using writer = new RecordStoreWriter(path, key)
        using fingerprinter = new Fingerprinter(folder)
        using grouper = unit && new UnitGrouper(folder)
        await encode(site, manifest, encoderFor(manifest, tokenizer), { writer, fingerprinter, grouper }, signal)
        if (unit !== undefined) grouper?.write(unitsPath, key, unit.maxRecords)
        store = openRecordStore(path, key)
        units = unit && openUnitIndex(unitsPath, key)
      }
      if (store?.size !== site.records || (unit !== undefined && units === undefined)) {
        store?.[Symbol.dispose]()
        units?.[Symbol.dispose]()
        throw dataChanged(site.path)
      }
      const { size, lengthsOf, read } = store
      const opened = { store, units }
      users.set(name, (users.get(name) ?? 0) + 1)
      let isOpen = true
      return {
        size,
        lengthsOf,
        read,
        ...(units && { units }),
        close() {
          if (!isOpen) return
          isOpen = false
          opened.store[Symbol.dispose]()
          opened.units?.[Symbol.dispose]()
          const left = users.get(name)! - 1
          if (left > 0) users.set(name, left)
          else users.delete(name)
        },
      }
    },
  }
}

interface EncodingParts {
  readonly writer: RecordStoreWriter
  readonly fingerprinter: Fingerprinter
  /** Where persons are the units. */
  readonly grouper: UnitGrouper | undefined
}

/** Reads the data set once more and names it again: what is trained on is what the ledger pays for. */
async function encode(
  site: SiteData,
  { labels }: RunManifest,
  toTokens: (record: SiteRecord) => Promise<EncodedRecord>,
  { writer, fingerprinter, grouper }: EncodingParts,
  signal: AbortSignal,
): Promise<void> {
  for await (const record of site.read(labels.length > 0 ? labels : undefined)) {
    signal.throwIfAborted()
    fingerprinter.add(record)
    writer.add(await toTokens(record))
    if (record.unit !== undefined) grouper?.add(record.unit)
  }
  if (fingerprinter.finish() !== site.fingerprint) throw dataChanged(site.path)
  writer.finish()
}

function encoderFor(
  { task, labels, model }: RunManifest,
  tokenizer: Tokenizer,
): (record: SiteRecord) => Promise<EncodedRecord> {
  const encode = taskEncoder(tokenizer, { task, labels, maxTokens: model.maxTokens })
  return (record) => encode(record, 'in the data set')
}

/** Text on which tokenizers differ: two with one name and another vocabulary give another store. */
const PROBE = 'The quick brown fox, 1984: naïve Übung – 日本語 👋 <b>x_y</b>\n\tdon’t re-encode 3.14159!'

/** Whatever decides the content of a store, as one name. */
async function keyOf(
  { fingerprint, unitColumn }: SiteData,
  { task, model, labels, unit }: RunManifest,
  tokenizer: Tokenizer,
): Promise<string> {
  const { name, checkpoint, maxTokens } = model
  const probe = [...(await tokenizer.encode(PROBE, 512))]
  const vocabularySize = tokenizer.vocabularySize
  const what = { format: 1, fingerprint, name, checkpoint, task, maxTokens, labels, vocabularySize, probe }
  return sha256Hex(
    canonicalJson(unit === undefined ? what : { ...what, unit: { column: unitColumn, maxRecords: unit.maxRecords } }),
  )
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
