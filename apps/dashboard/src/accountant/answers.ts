import {
  type AccountedEvent,
  calibrateNoiseMultiplier,
  closedFormEpsilon,
  filterOf,
  laterRule,
  mergeEvents,
  mostAffordable,
  pld,
  rdp,
  roundsWithSpares,
  scheduledSteps,
  stepsAffordable,
} from '@fedsvd/core/accounting'
import { isAccountable } from '@fedsvd/core/protocol'
import type {
  BurnDown,
  BurnDownQuestion,
  CurveQuestion,
  PlanOfPage,
  PlanQuestionOfPage,
  Point,
  Spent,
  SpentQuestion,
} from './questions.ts'

/** A curve of a thousand rounds is drawn from so many of them; each point is exact, none is interpolated. */
const MOST_POINTS = 24

/** Rounds that noise would allow are counted up to so many times those that were asked for. */
const MOST_TIMES = 10

/** Every epsilon is the upper bound of the coordinator's own accountant. */
export function burnDown(question: BurnDownQuestion): BurnDown {
  const { spent, next, budget, cap, roundsDone, rounds, at = [], isBrief = false } = question
  // Facts of an earlier release that no accountant comes back from: nothing is left, and no curve is drawn.
  if (![...spent, ...(cap?.elsewhere ?? [])].every(isAccountable)) {
    return { points: [], projection: [], roundsLeft: 0, runsOutAt: roundsDone }
  }
  const marks = isBrief ? new Set<number>() : sampled(spent.length)
  const wanted = new Set(at)
  const points: Point[] = []
  // The same call as the coordinator's, so that the curve ends on the very number of the table beside it.
  const bound = (events: readonly AccountedEvent[]): number => pld.epsilonUpperBound(mergeEvents(events), budget.delta)
  for (const [index, { round }] of spent.entries()) {
    if (marks.has(index) || wanted.has(round)) points.push([round, bound(spent.slice(0, index + 1))])
  }
  const ahead = Math.max(0, rounds - roundsDone)
  const after = (count: number): number => bound(later(spent, next, count))
  const isAllowed = capCheck(question)
  const roundsLeft = mostAffordable(ahead, (count) => after(count) <= budget.epsilon && isAllowed(count))
  const projection: Point[] = []
  if (!isBrief) {
    projection.push([points.at(-1)?.[0] ?? roundsDone, after(0)])
    for (const index of sampled(roundsLeft)) projection.push([roundsDone + index, after(index + 1)])
  }
  return {
    points,
    projection,
    roundsLeft,
    ...(roundsLeft < ahead && { runsOutAt: roundsDone + roundsLeft }),
    ...(cap !== undefined && roundsLeft < ahead && after(roundsLeft + 1) <= budget.epsilon && { isByCap: true }),
  }
}

/**
 * Whether so many more rounds stay within the cap, together with what other runs have spent of it: by the coordinator's
 * own filter, and by none where the coordinator has not said which one.
 */
function capCheck({ spent, next, cap }: BurnDownQuestion): (count: number) => boolean {
  if (cap === undefined) return () => true
  if (cap.rule === undefined) return (count) => count === 0
  const filter = filterOf(cap.rule)
  const before = mergeEvents([...cap.elsewhere, ...spent])
  return (count) => filter.allows(later(before, next, count), cap)
}

/** @throws FedsvdError BUDGET_TOO_SMALL or CONFIG_INVALID, as calibration does */
export function plan(question: PlanQuestionOfPage): PlanOfPage {
  const { budget, sampleRate, localSteps, rounds, earlierRuns = 0 } = question
  const steps = rounds * localSteps
  const stepsInAll = steps * (1 + earlierRuns)
  const spareSteps = scheduledSteps({ rounds, localSteps }) - steps
  // Over runs that are alike RDP is the filter at its best order, which depends on the noise that is looked for.
  const calibrator = earlierRuns === 0 ? pld : rdp
  const noiseMultiplier =
    question.noiseMultiplier ??
    calibrateNoiseMultiplier({ ...budget, sampleRate, steps: stepsInAll + spareSteps, accountant: calibrator })
  const one = { sampleRate, noiseMultiplier, steps: localSteps }
  const all = [{ ...one, steps: stepsInAll }]
  const prior = earlierRuns === 0 ? [] : [{ ...one, steps: steps * earlierRuns }]
  const rule = laterRule(prior, budget)
  const accountant = rule === undefined ? pld : filterOf(rule)
  const asked = { ...budget, sampleRate, prior, accountant }
  const atMost = scheduledSteps({ rounds: MOST_TIMES * rounds, localSteps })
  return {
    noiseMultiplier,
    spareSteps,
    epsilonOfOneRound: pld.epsilonUpperBound([one], budget.delta),
    epsilonPld: pld.epsilonUpperBound(all, budget.delta),
    epsilonRdp: rdp.epsilonUpperBound(all, budget.delta),
    ...(rule && { epsilonFilter: accountant.epsilonUpperBound(all, budget.delta) }),
    // Noise that was found from the budget spends all of it, if interruptions take the spare steps.
    roundsAffordable:
      question.noiseMultiplier === undefined
        ? rounds
        : roundsWithSpares(stepsAffordable({ ...asked, noiseMultiplier, atMost }), localSteps),
  }
}

export function curve({ sampleRate, noiseMultiplier, localSteps, rounds, delta }: CurveQuestion): readonly Point[] {
  const one = { sampleRate, noiseMultiplier, steps: localSteps }
  return [...sampled(rounds)].map((index) => [
    index + 1,
    pld.epsilonUpperBound([{ ...one, steps: localSteps * (index + 1) }], delta),
  ])
}

export function spent({ events, delta }: SpentQuestion): Spent {
  if (!events.every(isAccountable)) {
    const bound = closedFormEpsilon(events, delta)
    return { epsilonPld: bound, epsilonRdp: bound }
  }
  return { epsilonPld: pld.epsilonUpperBound(events, delta), epsilonRdp: rdp.epsilonUpperBound(events, delta) }
}

function later(spent: readonly AccountedEvent[], next: AccountedEvent, rounds: number): readonly AccountedEvent[] {
  return rounds === 0 ? spent : [...spent, { ...next, steps: next.steps * rounds }]
}

/** Indices below `count`, evenly spread, the first and the last among them. */
function sampled(count: number): ReadonlySet<number> {
  const points = Math.min(count, MOST_POINTS)
  if (points <= 1) return new Set(count === 0 ? [] : [0])
  return new Set(Array.from({ length: points }, (_, index) => Math.round((index * (count - 1)) / (points - 1))))
}
