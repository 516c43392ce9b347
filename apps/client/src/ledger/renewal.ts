import type { Budget } from '@fedsvd/core/protocol'
import type { Renewal } from '../owner/statement.ts'
import type { LedgerState } from './state.ts'

/** The day of an ISO instant, in UTC. */
export function dayOf(instant: string): string {
  return instant.slice(0, 'yyyy-mm-dd'.length)
}

/** The newest renewal of a budget whose day has come and that has not begun yet; undefined where there is none. */
export function dueRenewal({ name, statements, periods }: LedgerState, now: Date): Renewal | undefined {
  const [today, last] = [dayOf(now.toISOString()), periods.at(-1)?.from ?? '']
  const due = statements.flatMap((statement) => {
    const isDue = statement.kind === 'renewal' && statement.budget === name
    return isDue && statement.from <= today && statement.from > last ? [statement] : []
  })
  return due.reduce<Renewal | undefined>((newest, one) => (newest && newest.from >= one.from ? newest : one), undefined)
}

/** The budgets of all periods so far added up, to twelve digits: what they guarantee together. */
export function budgetOfAllPeriods({ given, periods }: LedgerState): Budget {
  const all = [...periods.map((period) => period.given), given]
  const sumOf = (part: 'epsilon' | 'delta'): number =>
    Number(all.reduce((sum, budget) => sum + budget[part], 0).toPrecision(12))
  return { epsilon: sumOf('epsilon'), delta: sumOf('delta') }
}
