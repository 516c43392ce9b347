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
  actions: {
    cancel: 'Cancel',
    copy: 'Copy',
    copied: 'Copied',
    copyFailed: 'The browser did not copy it. Select the text and press Ctrl+C.',
    retry: 'Try again',
    incorrectSecret: 'Name or secret is incorrect.',
  },
  sites: {
    copyNow: (count: number) =>
      count === 1 ? 'Copy it now. You will not see it again.' : 'Copy them now. You will not see them again.',
    revoke: 'Revoke',
    revokeTitle: (name: string) => `Permanently revoke "${name}"?`,
    revokeHelp: 'It cannot connect or enrol under this key again. Privacy already spent is not returned.',
    revokeYes: 'Revoke permanently',
    setCap: 'Set cap',
    lowerCap: 'Lower cap',
    capTitle: (name: string, epsilon: number, delta: string) => `Cap "${name}" at epsilon ${epsilon}, δ ${delta}?`,
    capHelp: 'It applies at once to every run. Its data have been used, so it cannot be raised again.',
    capHelpUnused: 'It applies at once to every run. It cannot be raised again once its data have been used.',
    capIsUsed: 'Its data have been used: it can only be lowered.',
    capIsUnused: 'It can be raised until its data are used.',
    offline: 'offline',
    stricterLimit: "The stricter of this and the site's own limit applies.",
  },
  views: {
    audit: 'Audit',
    reports: 'Reports',
  },
  newRun: {
    start: 'Start run',
    notForAuditors: 'Auditors see runs and cannot start them.',
    enterName: 'Enter a name.',
    needAttention: (count: number) => `${counted(count, 'field')} need${count === 1 ? 's' : ''} attention:`,
    cost: 'What it would cost each site',
    costHelp: (unit: string, delta: string | undefined) =>
      `Sites choose their noise themselves. Shown is the least that keeps the whole run within the budget asked, for what each declared last; epsilon is per ${unit}${delta === undefined ? '' : `, δ ${delta}`}, by PLD, as of a site's first run. What it spent before, in all runs here, is an odometer; a site with less left adds more noise or stays out.`,
    completeForm: 'Complete the form to see it.',
    nobody: 'No site is enrolled yet.',
    prices: 'Cost per site',
    standings: { ready: 'ready', away: 'not connected', undeclared: 'records not known here', out: 'cannot take part' },
    ready: (ready: number, quorum: number) => `${counted(ready, 'site')} can take part now; a round needs ${quorum}.`,
    notReady: (
      ready: number,
      quorum: number,
      others: { readonly away: number; readonly undeclared: number; readonly out: number },
    ) => {
      const reasons = [
        ...(others.away > 0 ? [`${others.away} not connected`] : []),
        ...(others.undeclared > 0 ? [`${others.undeclared} with records not known here`] : []),
        ...(others.out > 0 ? [`${others.out} that cannot take part`] : []),
      ]
      const rest = reasons.length === 0 ? '' : ` ${reasons.join(', ')}.`
      return `The run would wait: ${counted(ready, 'site')} can take part now, and a round needs ${quorum}.${rest}`
    },
    labels: {
      name: 'Name',
      model: 'Name on the hub',
      checkpoint: 'What the checkpoint holds',
      task: 'Task',
      labels: 'Labels',
      seed: 'Seed',
    },
  },
  reports: {
    statementOf: (site: string, run: string) => `Privacy statement: ${site} in ${run}`,
  },
  audit: {
    log: 'Audit log',
    notForOperators: 'Admins and auditors read the log.',
    search: 'Search',
    clear: 'Clear',
    newest: 'Newest',
    older: 'Older',
    noneFits: 'No entry fits.',
    nothingYet: 'Nothing has happened yet.',
    truncation: 'Truncation is only detectable if you saved an earlier head hash.',
    fields: {
      actor: { label: 'Actor', example: 'Name of a person or site' },
      action: { label: 'Action', example: 'run.create' },
      object: { label: 'Object', example: 'Name of a run or site' },
      from: { label: 'From', example: '' },
      to: { label: 'To', example: '' },
    },
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
    sitesConnected: 'Sites connected',
    selectedPerRound: (count: number) => `${counted(count, 'site')} selected per round`,
    trainingAtATime: (count: number) => `at most ${count} training at a time`,
    view: 'View run',
    stop: 'Stop run',
    stopTitle: (name: string) => `Stop "${name}"?`,
    stopHelp: 'This cannot be undone. Privacy already spent is not returned.',
    stopYes: 'Stop permanently',
    changesApply: "Changes apply from the next round. Adding rounds does not raise any site's budget.",
    wholeNumbers: 'Must be whole numbers of at least 1.',
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
