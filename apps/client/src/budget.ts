import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import type { Budget } from '@fedsvd/core/protocol'
import type { DataPaths, ReadOptions } from '@fedsvd/engine/datasets'
import { atFile } from '@fedsvd/engine/files'
import {
  type LedgerOptions,
  type LedgerState,
  ledgerPath,
  openLedger,
  type PrivacyLedger,
  readLedger,
  SITE_BUDGET,
} from './ledger/index.ts'
import { type DatasetInUse, datasetsInUse, holdDataset, seenData } from './overlap/index.ts'
import { type OwnerStatement, parseStatement, statementInvalid } from './owner/statement.ts'

/** The budget that a client asks for its data set. */
export interface BudgetRequest {
  readonly stateDir: string
  readonly fingerprint: string
  readonly dataFile: DataPaths
  readonly columns: ReadOptions
  readonly budget: Budget
  /** Default: that of the site. */
  readonly name?: string | undefined
  /** File of the data owner's statement for a budget that is not the site's. */
  readonly statementFile?: string | undefined
  readonly earlier?: LedgerOptions['earlier']
  /** Files with renewals of this budget, signed by the data owner. */
  readonly renewalFiles?: readonly string[]
}

/**
 * Opens the ledger that pays for a data set: the site's own, or one by another name where the data owner has signed
 * that the data set shares no people with any other. Either way it must not share records with the data sets of another
 * budget. The budget that was asked for binds the site with the first run that it agrees to.
 *
 * @throws FedsvdError as `openLedger`; DATA_OVERLAPS; STATEMENT_INVALID where there is no statement for these data and
 *   this budget
 */
export async function openBudget(request: BudgetRequest): Promise<PrivacyLedger> {
  const { stateDir, fingerprint, name = SITE_BUDGET } = request
  const seen = seenData(stateDir)
  await seen.record(fingerprint, request.dataFile, request.columns)
  // Held before the others are looked at: of two that start together, one at least sees the other.
  const held = holdDataset(stateDir, { dataset: fingerprint, budget: name })
  try {
    return openHeld(request, held, () => seen.requireDisjoint(fingerprint, otherDatasets(stateDir, name)))
  } catch (error) {
    held[Symbol.dispose]()
    throw error
  }
}

function openHeld(request: BudgetRequest, beside: Disposable, requireDisjoint: () => void): PrivacyLedger {
  const { stateDir, fingerprint, budget, name = SITE_BUDGET, earlier } = request
  if (name === SITE_BUDGET) {
    requireDisjoint()
    return withRenewals(openLedger(stateDir, fingerprint, budget, { earlier, deferred: true, beside }), request)
  }
  const statement = statementFor(request, name)
  const site = siteState(request, statement)
  requireDisjoint()
  const ledger = openLedger(stateDir, fingerprint, budget, { name, deferred: true, beside })
  try {
    if (statement !== undefined) ledger.accept(statement)
    requireStated(ledger.state, site.owner, fingerprint)
    return withRenewals(ledger, request)
  } catch (error) {
    ledger[Symbol.dispose]()
    throw error
  }
}

function statementFor({ statementFile, fingerprint }: BudgetRequest, budget: string): OwnerStatement | undefined {
  if (statementFile === undefined) return undefined
  const statement = parseStatement(readJson(statementFile))
  if (statement.kind === 'disjoint' && statement.budget === budget && statement.dataset === fingerprint)
    return statement
  const about = statement.kind === 'disjoint' ? `data set ${statement.dataset.slice(0, 16)}` : 'a renewal'
  throw statementInvalid(
    `a statement on data set ${fingerprint.slice(0, 16)} and the budget "${budget}"`,
    `one on ${about} and the budget "${statement.budget}"`,
  )
}

/** Takes the renewals that the data owner signed into the ledger, and begins a new period where one is due. */
function withRenewals(ledger: PrivacyLedger, { renewalFiles = [] }: BudgetRequest): PrivacyLedger {
  try {
    for (const file of renewalFiles) {
      const statement = parseStatement(readJson(file))
      if (statement.kind !== 'renewal' || statement.budget !== ledger.state.name) {
        const got =
          statement.kind === 'renewal' ? `one of the budget "${statement.budget}"` : 'a statement on a data set'
        throw statementInvalid(`a renewal of the budget "${ledger.state.name}" in ${file}`, got)
      }
      ledger.accept(statement)
    }
    ledger.renewIfDue()
    return ledger
  } catch (error) {
    ledger[Symbol.dispose]()
    throw error
  }
}

/**
 * The site's ledger, with every ledger of earlier releases in it, and with the statement. It fixes the owner's key for
 * all budgets. Where a client of this site holds it and has the statement already, it is only read.
 */
function siteState(
  { stateDir, fingerprint, budget, earlier }: BudgetRequest,
  statement: OwnerStatement | undefined,
): LedgerState {
  const known = readState(stateDir, SITE_BUDGET)
  const isKnown = known?.statements.some(({ signature }) => signature === statement?.signature)
  if (known !== undefined && (statement === undefined || isKnown)) return known
  using site = openLedger(stateDir, fingerprint, known?.budget ?? budget, { earlier, deferred: true })
  if (statement !== undefined) site.accept(statement)
  return site.state
}

/** The data sets of all other budgets of a state folder: of their ledgers, and of clients that are at work. */
function otherDatasets(stateDir: string, name: string): readonly DatasetInUse[] {
  const folder = join(stateDir, 'ledgers')
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.jsonl')) : []
  const budgets = files.map((file) => basename(file, '.jsonl')).filter((budget) => budget !== name)
  const inLedgers = budgets.flatMap((budget) => {
    const state = readState(stateDir, budget)
    // What the site has adopted counts in the site's budget.
    if (state === undefined || state.fingerprint !== undefined) return []
    return [...state.datasets].map((dataset) => ({ dataset, budget }))
  })
  return [...inLedgers, ...datasetsInUse(stateDir, name)]
}

function readState(stateDir: string, name: string): LedgerState | undefined {
  const path = ledgerPath(stateDir, name)
  return existsSync(path) ? readLedger(path).state : undefined
}

function requireStated(ledger: LedgerState, owner: string | undefined, fingerprint: string): void {
  const isStated = ledger.statements.some(
    (one) => one.kind === 'disjoint' && one.dataset === fingerprint && one.budget === ledger.name,
  )
  if (isStated && ledger.owner === owner) return
  throw statementInvalid(
    `a statement of this site's data owner that data set ${fingerprint.slice(0, 16)} shares no people with any other`,
    isStated ? 'a statement that another key signed' : 'no statement about it',
  )
}

function readJson(file: string): unknown {
  const text = atFile(file, () => readFileSync(file, 'utf8'))
  try {
    return JSON.parse(text)
  } catch (cause) {
    const detail = { expected: `a statement in ${file}`, got: 'a file that is not JSON', remedy: 'Check the path.' }
    throw new FedsvdError('CONFIG_INVALID', detail, { cause })
  }
}
