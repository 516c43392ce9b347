import { bufferOf, planOf, type RunSnapshot } from '@fedsvd/core/protocol'
import { shortfallOf } from './remaining.ts'
import { type Client, isOpen, isUsedUp } from './run-facts.ts'
import { texts } from './texts/index.ts'

export interface Warning {
  readonly kind: keyof typeof texts.warnings.titles
  readonly text: string
  readonly at?: string
}

/** A run that has just been started is given so long to find its sites. */
const PATIENCE_MS = 30_000
const REJECTED = [
  'NORM_EXCEEDED',
  'FRAME_MALFORMED',
  'FRAME_TOO_LARGE',
  'FRAME_CHECKSUM',
  'SHAPE_MISMATCH',
  'NOT_FINITE',
]
const REFUSED = ['BUDGET_EXHAUSTED', 'BUDGET_TOO_SMALL', 'DELTA_TOO_LARGE']

/** What an operator should look at, the most pressing first. What goes as planned is not among it. */
export function warningsOf(run: RunSnapshot, now: number): readonly Warning[] {
  const standing = isOpen(run) && run.state !== 'paused' ? (stallOf(run, now) ?? waitOf(run, now)) : undefined
  return [
    ...(standing === undefined ? [] : [standing.warning]),
    ...shortfallsOf(run),
    ...alertsOf(run, standing?.since ?? Number.POSITIVE_INFINITY),
  ]
}

/** That a run stands still, and since when: alerts of the coordinator about the same say nothing more. */
interface Standstill {
  readonly warning: Warning
  readonly since: number
}

function stallOf({ current, manifest, plan }: RunSnapshot, now: number): Standstill | undefined {
  if (current === undefined) return undefined
  const { state, deadline, extensions = 0, received, round, openedAt } = current
  const isLate = state === 'tasked' && deadline !== undefined && Date.parse(deadline) < now
  if (extensions === 0 && !isLate) return undefined
  const what = bufferOf(manifest) === undefined ? 'round' : 'buffer'
  const text = texts.warnings.stalled(what, round, received.length, planOf(manifest, plan).quorum)
  return { warning: { kind: 'stalled', text }, since: openedAt === undefined ? 0 : Date.parse(openedAt) }
}

function waitOf(run: RunSnapshot, now: number): Standstill | undefined {
  const { current, clients, manifest, plan, createdAt, alerts } = run
  const begun = createdAt === undefined ? 0 : Date.parse(createdAt)
  if (current !== undefined || now - begun < PATIENCE_MS) return undefined
  const { quorum } = planOf(manifest, plan)
  const usable = clients.filter((client) => client.connected && !isUsedUp(client) && client.withdrawal === undefined)
  if (usable.length >= quorum) return undefined
  const text = texts.warnings.waiting(usable.length, quorum, clients.length)
  const told = alerts.findLast(({ code, clientId }) => code === 'QUORUM_MISSED' && clientId === undefined)
  return { warning: { kind: 'waiting', text }, since: told === undefined ? now : Date.parse(told.at) }
}

/** Sites whose budgets end before the plan does, those with the same shortfall together. */
function shortfallsOf(run: RunSnapshot): readonly Warning[] {
  const groups = new Map<string, { readonly clients: Client[]; readonly rounds: number; readonly isGone: boolean }>()
  for (const client of run.clients) {
    const rounds = shortfallOf(run, client)
    if (rounds === 0) continue
    const isGone = isUsedUp(client) || client.roundsLeft === 0
    const key = `${isGone}/${rounds}`
    const group = groups.get(key) ?? { clients: [], rounds, isGone }
    groups.set(key, group)
    group.clients.push(client)
  }
  return [...groups.values()]
    .sort((left, right) => right.rounds - left.rounds)
    .map(({ clients, rounds, isGone }) => {
      const names = namesOf(clients)
      return {
        kind: 'budget',
        text: isGone ? texts.warnings.usedUp(names, rounds) : texts.warnings.runsOut(names, rounds),
      }
    })
}

function alertsOf({ alerts, clients }: RunSnapshot, standingSince: number): readonly Warning[] {
  const names = new Map(clients.map(({ clientId, name }) => [clientId, name]))
  return alerts
    .filter(({ code, at, clientId }) => {
      return !(code === 'QUORUM_MISSED' && clientId === undefined && Date.parse(at) >= standingSince)
    })
    .toReversed()
    .map(({ code, message, at, clientId, clientName }) => {
      const name = clientName ?? (clientId === undefined ? undefined : (names.get(clientId) ?? clientId.slice(0, 8)))
      return { kind: kindOf(code), at, text: name === undefined ? message : texts.warnings.about(name, message) }
    })
}

function kindOf(code: string): Warning['kind'] {
  if (code === 'LEDGER_MISMATCH') return 'ledger'
  if (REJECTED.includes(code)) return 'rejected'
  return REFUSED.includes(code) ? 'refused' : 'other'
}

function namesOf(clients: readonly Client[]): string {
  const names = clients.map(({ name }) => name)
  return names.length <= 4 ? names.join(', ') : texts.warnings.andMore(names.slice(0, 3), names.length - 3)
}
