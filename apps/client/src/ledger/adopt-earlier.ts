import { accessSync, constants, existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { basename, join } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import { atFile } from '@fedsvd/engine/files'
import { isFingerprint } from './chain.ts'
import { SITE_BUDGET } from './entry.ts'
import { LedgerFile } from './ledger-file.ts'
import { verifyLedgerBytes } from './verify.ts'

/** A state folder whose ledgers count in another one: all of them, or only that of one data set. */
export interface EarlierPlace {
  readonly stateDir: string
  readonly only?: string
}

/**
 * Makes every ledger of the given state folders count in the site's own ledger, durably: those of format 1, one for
 * each data set, and the site's ledger of another folder. Each is then closed by a last line, so that no release of
 * fedsvd spends by it any more; where a folder cannot be written, the ledger can neither. One that grew since it was
 * adopted is charged for what it grew by; a shorter one, an older copy, adds nothing.
 *
 * @throws FedsvdError LEDGER_LOCKED when another process spends by one of them or another site has adopted it,
 *   LEDGER_DAMAGED when one cannot be trusted, LEDGER_MISMATCH when one has another past than the one that was adopted
 */
export function adoptEarlier(site: LedgerFile, places: readonly EarlierPlace[], own: string, now: () => Date): void {
  const known = new Set([realpathSync(own)])
  for (const path of places.flatMap(adoptablesIn)) {
    const real = realpathSync(path)
    if (known.has(real)) continue
    known.add(real)
    adoptFile(site, path, now)
  }
}

/** The ledgers of a place that the site's ledger takes in. */
function adoptablesIn({ stateDir, only }: EarlierPlace): readonly string[] {
  const folder = join(stateDir, 'ledgers')
  if (!existsSync(folder)) return []
  const isAdoptable = (name: string): boolean =>
    only === undefined ? isFingerprint(name) || name === SITE_BUDGET : name === only
  return readdirSync(folder)
    .filter((file) => file.endsWith('.jsonl') && isAdoptable(basename(file, '.jsonl')))
    .sort()
    .map((file) => join(folder, file))
}

function adoptFile(site: LedgerFile, path: string, now: () => Date): void {
  const name = basename(path, '.jsonl')
  using held = isWritable(path) ? new LedgerFile(path, name, now) : undefined
  const { entries: all } = atFile(path, () => verifyLedgerBytes(readFileSync(path), name))
  const entries = all.filter(({ fact }) => fact.kind !== 'moved')
  const root = entries[0]?.hash
  if (root === undefined) return
  const moved = all.findLast(({ fact }) => fact.kind === 'moved')?.fact
  if (moved?.kind === 'moved' && moved.root !== site.hashes[0]) throw movedAway(path)
  const adopted = site.state!.adopted.get(root)?.hashes ?? []
  const common = Math.min(adopted.length, entries.length)
  if (common > 0 && entries[common - 1]!.hash !== adopted[common - 1]) throw forked(path)
  const more = entries.slice(adopted.length)
  if (more.length > 0) {
    const head = more.at(-1)!.hash
    site.append({ kind: 'adopted', ledger: name, root, from: adopted.length, head, entries: more })
  }
  if (held !== undefined && !held.state!.isMoved) held.append({ kind: 'moved', to: SITE_BUDGET, root: site.hashes[0]! })
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    accessSync(join(path, '..'), constants.W_OK)
    return true
  } catch {
    return false
  }
}

export function movedAway(path: string): FedsvdError {
  return new FedsvdError('LEDGER_LOCKED', {
    expected: 'a ledger that spends by itself',
    got: `${path}, which the ledger of another state folder has adopted`,
    remedy: 'Start the client on the state folder that adopted it; what was spent here counts there.',
  })
}

function forked(path: string): FedsvdError {
  return new FedsvdError('LEDGER_MISMATCH', {
    expected: `${path} to go on from what this site has adopted of it`,
    got: 'entries that differ from those that were adopted',
    remedy:
      'Two copies of one ledger were spent by. Nothing is trained until one of them is removed and its spending is known: ' +
      'treat the whole budget as spent where it is not.',
  })
}
