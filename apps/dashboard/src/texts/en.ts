import { roundNumber } from '@fedsvd/core/errors'

/**
 * The English words of the dashboard. Another language is another object of this type; texts that stand between figures
 * are functions, so that each language can order and inflect them. They are given rounds as the wire counts them, from
 * 0.
 */
export const en = {
  count: {
    round: (count: number) => counted(count, 'round'),
    site: (count: number) => counted(count, 'site'),
    update: (count: number) => counted(count, 'update'),
  },
  warnings: {
    titles: {
      budget: 'Budget',
      ledger: 'Ledgers disagree',
      stalled: 'Stalled',
      waiting: 'Waiting',
      rejected: 'Update rejected',
      refused: 'Refused',
      other: 'Alert',
    },
    stalled: (what: 'round' | 'buffer', round: number, received: number, needed: number) =>
      `${what === 'round' ? 'Round' : 'Buffer'} ${roundNumber(round)} is stalled: its deadline has passed with ${received} of ${needed} updates needed`,
    waiting: (usable: number, needed: number, known: number) =>
      `${usable} of the ${counted(needed, 'site')} that a round needs can take part (${known === 0 ? 'none has joined' : `${counted(known, 'site')} joined`}). Invite more sites, lower the quorum, or stop the run.`,
    runsOut: (names: string, rounds: number) =>
      `${names} will run out ${counted(rounds, 'round')} before the planned end`,
    usedUp: (names: string, rounds: number) => `${names}: used up ${counted(rounds, 'round')} before the planned end`,
    about: (name: string, message: string) => `${name}: ${message}`,
    andMore: (names: readonly string[], more: number) => `${names.join(', ')} and ${more} more`,
  },
  run: {
    underWay: {
      selected: (round: number, rounds: number) => `Round ${roundNumber(round)} of ${rounds}: selecting sites`,
      tasked: (round: number, rounds: number, received: number, selected: number) =>
        `Round ${roundNumber(round)} of ${rounds}: sites training (${received} of ${selected} received)`,
      received: (round: number, rounds: number) => `Round ${roundNumber(round)} of ${rounds}: all updates received`,
      aggregated: (round: number, rounds: number) => `Round ${roundNumber(round)} of ${rounds}: aggregating`,
      published: (round: number, rounds: number) => `Round ${roundNumber(round)} of ${rounds}: published`,
      buffer: (round: number, received: number, size: number) =>
        `Model version ${roundNumber(round)}: ${received} of ${counted(size, 'update')}`,
    },
    majorityBaseline: (share: string) => `majority-class baseline ${share}`,
    noTestSet: 'no public test set that fits',
    highestEpsilon: 'Highest epsilon spent',
    highestEpsilonOfSites: 'Highest epsilon, whole sites',
    lowestRemaining: 'Lowest remaining budget',
    lastsToTheEnd: 'Budget lasts to the end',
    runsOutBefore: (round: number, byCap: boolean) =>
      `before round ${roundNumber(round)}${byCap ? ', by the cap' : ''}`,
    usedUp: (byCap: boolean) => (byCap ? 'used up, by the cap' : 'used up'),
    hasEnded: 'run has ended',
    sameRank: (layers: number, rounds: number) =>
      `It is the same for ${layers === 1 ? 'the only layer' : `all ${layers} layers`} and ${counted(rounds, 'round')}, within 1 %.`,
    left: (code: string) => `left: ${code}`,
    roundsLeft: (left: number, ahead: number) => `${left} of ${counted(ahead, 'round')} left`,
  },
} as const

export type Texts = typeof en

function counted(count: number, one: string): string {
  return `${count} ${count === 1 ? one : `${one}s`}`
}
