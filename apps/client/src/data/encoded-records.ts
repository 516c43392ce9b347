import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import type { RunManifest } from '@fedsvd/core/protocol'
import type { RecordSource, Units } from '@fedsvd/engine/datasets'
import {
  type EncodedRecord,
  type LeftOut,
  LeftOutCount,
  PlacesWriter,
  placeOf,
  readPlaces,
  type SiteRecord,
  splitByPlace,
  taskEncoder,
} from '@fedsvd/engine/datasets'
import {
  openRecordStore,
  openUnitIndex,
  type RecordStore,
  RecordStoreWriter,
  UnitGrouper,
} from '@fedsvd/engine/datasets/record-store'
import type { Tokenizer } from '@fedsvd/engine/tokenizers'
import { canonicalJson, sha256Hex } from '../ledger/index.ts'
import { turn } from '../platform/index.ts'
import { catalogued } from '../policy/refusals.ts'
import type { SiteData } from './site-data.ts'

/** The records of a site as one run's model takes them, on disk; closing gives the place back. */
export interface EncodedRecords extends RecordSource {
  /** Records of the site that this run cannot take: their label is not one of the run's, or nothing of them is left. */
  readonly leftOut: LeftOut
  /** The units that the run does not train on, and evaluates with; absent where it does not evaluate at the sites. */
  readonly setAside?: RecordSource | undefined
  close(): void
}

/** A run's tokenizer and labels, found to fit each other before a record is looked at. */
export interface PreparedRecords {
  /**
   * The records as the run takes them: from the store that an earlier process left, or tokenised once, one run after
   * the other. Records that the run cannot take are left out; none left is no fault.
   *
   * @throws the error of the file system where there is no place for them
   * @throws the signal's reason when it aborts
   */
  open(signal: AbortSignal): Promise<EncodedRecords>
}

/** Keeps the encoded records of one data set in the state folder: as token ids, for as long as a run needs them. */
export interface EncodedStores {
  /**
   * Finds out whether a run's model can take records of this site's kind, without looking at one.
   *
   * @throws FedsvdError CONFIG_INVALID for labels or a task that do not fit the model, and what its tokenizer is
   *   refused with
   */
  prepare(manifest: RunManifest): Promise<PreparedRecords>
  /** Removes everything that no run has open. */
  prune(): void
}

/** The tokenizer of a run's model, read when a run asks for it. */
export type TokenizerFor = (model: RunManifest['model']) => Promise<Tokenizer>

export interface StoresOptions {
  /** True where the site named a column of second texts. */
  readonly pairs?: boolean
  /** A secret of the ledger: decides which units a run that evaluates sets aside, the same ones in each run. */
  readonly placeKey?: string | undefined
}

/** What is open of one store: the records, and who belongs together where persons are the units. */
interface Opened {
  readonly store: RecordStore
  readonly units: (Units & Disposable) | undefined
  /** Of the records, where the run sets some aside. */
  readonly places: Uint32Array | undefined
  readonly leftOut: LeftOut
}

export function encodedStores(
  stateDir: string,
  site: SiteData,
  tokenizerFor: TokenizerFor,
  { pairs = false, placeKey }: StoresOptions = {},
): EncodedStores {
  const folder = join(stateDir, 'encoded', site.fingerprint)
  const users = new Map<string, number>()
  let encoding: Promise<unknown> = Promise.resolve()
  const prune = (): void => {
    for (const name of namesIn(folder)) {
      if (!users.has(name.replace(/\.(units|places)$/, '.records'))) rmSync(join(folder, name), { force: true })
    }
  }
  const openKept = (key: string, { unit, siteEvaluation }: RunManifest, leftOut?: LeftOut): Opened | undefined => {
    const store = openRecordStore(join(folder, `${key}.records`), key)
    if (store === undefined) return undefined
    const units = unit && openUnitIndex(join(folder, `${key}.units`), key)
    const places = siteEvaluation && readPlaces(join(folder, `${key}.places`), key)
    const hasPlaces = siteEvaluation === undefined || places?.length === store.size
    if (hasPlaces && (unit === undefined || units !== undefined)) {
      return {
        store,
        units,
        places,
        leftOut: leftOut ?? { count: site.records - store.size, first: undefined, reasons: [] },
      }
    }
    store[Symbol.dispose]()
    units?.[Symbol.dispose]()
    return undefined
  }
  return {
    prune,
    async prepare(manifest) {
      const tokenizer = await tokenizerFor(manifest.model)
      if (pairs) requirePairs(tokenizer)
      const { task, labels, model, unit } = manifest
      const toTokens = taskEncoder(tokenizer, { task, labels, maxTokens: model.maxTokens })
      await tokenizer.encode(PROBE, model.maxTokens) // refuses a length without room for a token
      const key = await keyOf(site, manifest, tokenizer, placeKey)
      const name = `${key}.records`
      const openOrEncode = async (signal: AbortSignal): Promise<Opened> => {
        await turn() // whatever is being answered is answered first
        signal.throwIfAborted()
        const kept = openKept(key, manifest)
        if (kept !== undefined) return kept
        prune()
        using writer = new RecordStoreWriter(join(folder, name), key)
        using grouper = unit && new UnitGrouper(folder)
        const places = manifest.siteEvaluation && new PlacesWriter()
        const placing = (record: SiteRecord): void => places?.add(placeOf(record, placeKey ?? '', unit !== undefined))
        const toTokensOf = (one: SiteRecord) => toTokens(one, 'in the data set')
        const leftOut = await encode(site, toTokensOf, { writer, grouper, placing }, signal)
        writer.finish()
        places?.write(join(folder, `${key}.places`), key)
        if (unit !== undefined) grouper?.write(join(folder, `${key}.units`), key, unit.maxRecords)
        const opened = openKept(key, manifest, leftOut)
        if (opened !== undefined) return opened
        throw new TypeError(`expected the store ${name}, which was written just now`)
      }
      return {
        async open(signal) {
          const opening = encoding.then(() => openOrEncode(signal))
          encoding = opening.catch(() => {})
          const { store, units, places, leftOut } = await opening
          users.set(name, (users.get(name) ?? 0) + 1)
          let isOpen = true
          const all = { size: store.size, lengthsOf: store.lengthsOf, read: store.read, ...(units && { units }) }
          const split = places && splitByPlace(all, places, manifest.siteEvaluation!.share)
          return {
            ...(split?.training ?? all),
            ...(split && { setAside: split.setAside }),
            leftOut,
            close() {
              if (!isOpen) return
              isOpen = false
              store[Symbol.dispose]()
              units?.[Symbol.dispose]()
              const left = users.get(name)! - 1
              if (left > 0) users.set(name, left)
              else users.delete(name)
            },
          }
        },
      }
    },
  }
}

interface EncodingParts {
  readonly writer: RecordStoreWriter
  /** Where persons are the units. */
  readonly grouper: UnitGrouper | undefined
  /** Told of each record that is taken, in their order. */
  readonly placing: (record: SiteRecord) => void
}

/** Tokenises the records of the site in their order; those that the run cannot take leave no trace but in the count. */
async function encode(
  site: SiteData,
  toTokens: (record: SiteRecord) => Promise<EncodedRecord>,
  { writer, grouper, placing }: EncodingParts,
  signal: AbortSignal,
): Promise<LeftOut> {
  const leftOut = new LeftOutCount()
  for await (const record of site.read()) {
    signal.throwIfAborted()
    const encoded = await encodedOrFault(record, toTokens)
    if (encoded instanceof FedsvdError) leftOut.add(encoded)
    else {
      writer.add(encoded)
      placing(record)
      if (record.unit !== undefined) grouper?.add(record.unit)
    }
  }
  return leftOut
}

/** Whatever a tokenizer throws over a record is a property of the record, and no reason to stop. */
async function encodedOrFault(
  record: SiteRecord,
  toTokens: (record: SiteRecord) => Promise<EncodedRecord>,
): Promise<EncodedRecord | FedsvdError> {
  try {
    const encoded = await toTokens(record)
    return encoded.tokenIds.length > 0 ? encoded : nothingLeft()
  } catch (error) {
    return catalogued(error)
  }
}

function nothingLeft(): FedsvdError {
  return new FedsvdError('DATA_EMPTY', {
    expected: 'at least one token of every record',
    got: 'a data set whose records have no tokens',
    remedy: 'Look for texts without letters that the model knows.',
  })
}

/** A model that takes one text only is no model for pairs, whichever they are. */
function requirePairs({ encodePair }: Tokenizer): void {
  if (encodePair !== undefined) return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'records of one text, which is what this model takes',
    got: 'pairs of texts',
    remedy: 'Train on a checkpoint of the BERT family, or join the two texts in one column.',
  })
}

/** Text on which tokenizers differ: two with one name and another vocabulary give another store. */
const PROBE = 'The quick brown fox, 1984: naïve Übung – 日本語 👋 <b>x_y</b>\n\tdon’t re-encode 3.14159!'

/** Whatever decides the content of a store, as one name. */
async function keyOf(
  { fingerprint, unitColumn }: SiteData,
  { task, model, labels, unit, siteEvaluation }: RunManifest,
  tokenizer: Tokenizer,
  placeKey: string | undefined,
): Promise<string> {
  const { name, checkpoint, maxTokens } = model
  const probe = [...(await tokenizer.encode(PROBE, 512))]
  const vocabularySize = tokenizer.vocabularySize
  const common = { format: 2, fingerprint, name, checkpoint, task, maxTokens, labels, vocabularySize, probe }
  const what = siteEvaluation === undefined ? common : { ...common, places: sha256Hex(placeKey ?? '') }
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
