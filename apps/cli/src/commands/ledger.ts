import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  budgetInUse,
  type LedgerState,
  outcomeOf,
  RULES,
  readLedger,
  ruleOf,
  ruleOfClass,
  spentEvents,
  unitOfLedger,
  worstOfClasses,
} from '@fedsvd/client/ledger'
import { type AccountedEvent, ADVERSARY, filterOf, pld, rdp, unitOfRun } from '@fedsvd/core/accounting'
import { FedsvdError, roundNumber } from '@fedsvd/core/errors'
import { Command } from 'commander'
import { clientStateDir } from '../client-state-dir.ts'
import { example } from '../options.ts'
import { type Output, outputFor, table } from '../output.ts'

interface LedgerOptions {
  readonly stateDir: string
  readonly json?: boolean
}

/** `fedsvd ledger`: what this site has spent, from the site's own files. */
export function ledgerCommand(): Command {
  const command = new Command('ledger')
  command.addCommand(
    new Command('show')
      .description('Show what each budget of this site has spent and what is left.')
      .addOption(clientStateDir('state folder of the client'))
      .option('--json', 'print the ledgers as JSON')
      .addHelpText('after', example('fedsvd ledger show', 'fedsvd ledger show --state-dir /srv/fedsvd'))
      .action(show),
  )
  command.addCommand(
    new Command('verify')
      .description('Verify every line and the hash chain of each ledger; exit code 1 when one is damaged.')
      .addOption(clientStateDir('state folder of the client'))
      .option('--json', 'print the verdicts as JSON')
      .addHelpText('after', example('fedsvd ledger verify'))
      .action(verify),
  )
  return command
}

async function show(options: LedgerOptions): Promise<void> {
  const output = outputFor(options)
  for (const { name, state } of await ledgersIn(options.stateDir, output)) {
    if (state === undefined) continue
    const view = viewOf(state)
    output.record(view)
    if (view.isMoved) {
      output.line(`ledger ${name}: adopted, its spending counts in the budget of the site\n`)
      continue
    }
    output.line(`ledger   ${name}`)
    for (const dataset of view.datasets) output.line(`data set ${dataset}`)
    for (const { name: adopted, hashes } of state.adopted.values())
      output.line(`adopted  ${adopted}: ${hashes.length} entries of an earlier ledger count here`)
    output.line(
      `budget   epsilon ${view.budget.epsilon} at delta ${view.budget.delta}, the guarantee: unit ${view.unit}, add-or-remove-one, against ${ADVERSARY[view.unit]}`,
    )
    if (view.renewed !== undefined) {
      const { since, times, inAll } = view.renewed
      output.line(
        `period   ${times + 1}, since ${since}: what follows is of this period; all of them together are within epsilon ${inAll.epsilon} at delta ${inAll.delta}`,
      )
    }
    output.line(
      view.rule === undefined
        ? 'charged  nothing yet'
        : `charged  epsilon ${view.epsilonCharged.toFixed(4)} of ${view.budget.epsilon}, ${RULES[view.rule.kind]}`,
    )
    output.line(
      `spent    epsilon <= ${view.epsilonPld.toFixed(4)} so far (RDP: ${view.epsilonRdp.toFixed(4)}), an odometer: computed after the fact, no guarantee of its own\n`,
    )
    const rows = view.reservations.map((one) => [
      one.runId.slice(0, 8),
      roundNumber(one.round),
      one.attempt,
      one.steps,
      one.sampleRate.toFixed(4),
      one.noiseMultiplier.toFixed(4),
      one.outcome,
      one.epsilonAfter?.toFixed(4) ?? 'earlier period',
    ])
    output.line(
      table([
        ['run', 'round', 'attempt', 'steps', 'sample rate', 'noise multiplier', 'outcome', 'spent after'],
        ...rows,
      ]),
    )
    for (const { purpose, event, runId, round } of state.charges) {
      output.line(
        `charged  ${purpose}${runId === undefined ? '' : ` of run ${runId.slice(0, 8)}`}${round === undefined ? '' : `, round ${roundNumber(round)}, of units that it does not train on`}: ${event.steps} steps at sample rate ${event.sampleRate.toFixed(4)}, noise multiplier ${event.noiseMultiplier.toFixed(4)}`,
      )
    }
    output.line()
  }
}

function viewOf(state: LedgerState) {
  const { delta } = state.budget
  const events = spentEvents(state)
  const after = epsilonAfterEach(events, delta)
  const rule = ruleOf(state)
  const { renewed } = budgetInUse(state)
  const before = state.periods.at(-1)?.attempts ?? 0
  return {
    name: state.name,
    datasets: [...state.datasets],
    isMoved: state.isMoved,
    budget: state.budget,
    unit: unitOfLedger(state) ?? unitOfRun({}),
    ...(renewed && { renewed }),
    charges: state.charges,
    ...(rule && { rule }),
    epsilonCharged:
      rule === undefined
        ? 0
        : worstOfClasses(state, (spent) => filterOf(ruleOfClass(rule, spent)).epsilonUpperBound(spent, delta)),
    epsilonPld: worstOfClasses(state, (spent) => pld.epsilonUpperBound(spent, delta)),
    epsilonRdp: worstOfClasses(state, (spent) => rdp.epsilonUpperBound(spent, delta)),
    reservations: state.attempts.map((reservation, index) => {
      const { runId, round, attempt, event, resumes } = reservation
      return {
        runId,
        round,
        attempt,
        steps: event.steps,
        sampleRate: event.sampleRate,
        noiseMultiplier: event.noiseMultiplier,
        ...(resumes && { resumes }),
        outcome: outcomeOf(state, reservation),
        ...(index >= before && { epsilonAfter: after[index - before]! }),
      }
    }),
  }
}

/** Epsilon after each event; an account that grows costs a thousandth of asking anew for every prefix. */
function epsilonAfterEach(events: readonly AccountedEvent[], delta: number): number[] {
  let account = pld.init(delta)
  return events.map((event) => {
    account = pld.append(account, event)
    return pld.epsilon(account)
  })
}

async function verify(options: LedgerOptions): Promise<void> {
  const output = outputFor(options)
  for (const { name, entries, head, tail } of await ledgersIn(options.stateDir, output)) {
    output.record({ name, entries: entries.length, head, tail })
    output.line(
      `${name.slice(0, 16)}  ${entries.length} entries, chain unbroken${tail === 'torn' ? ', torn last line' : ''}, head ${head.slice(0, 16)}`,
    )
  }
}

/** The ledgers of a client; of one that has agreed to no run yet there is none, and that is said. */
async function ledgersIn(stateDir: string, output: Output): Promise<ReturnType<typeof readLedger>[]> {
  const folder = join(stateDir, 'ledgers')
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const files = names.filter((file) => file.endsWith('.jsonl'))
  if (files.length === 0) {
    if (existsSync(join(stateDir, 'enrolments'))) {
      output.line(`no ledger in ${folder} yet: this client has agreed to no run, so nothing is spent`)
      return []
    }
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `ledgers in ${folder}`,
      got: existsSync(stateDir) ? 'no state folder of a client' : 'no such folder',
      remedy: 'Name the state folder of a client with --state-dir.',
    })
  }
  return files.map((file) => readLedger(join(folder, file)))
}
