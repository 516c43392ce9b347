import type { RunPrice, RunRequest, SitePrice } from '@fedsvd/core/protocol'
import { significant, upperBound } from '../figures.ts'
import { table } from '../output.ts'

const STANDING: Readonly<Record<SitePrice['standing'], string>> = {
  ready: 'ready',
  away: 'not connected',
  undeclared: 'not known yet',
  out: 'cannot take part',
}

/** Whether a run can begin: sites that are ready or not known may take part, those that are away when they come. */
export function readiness({ quorum, clients }: RunPrice): { readonly canBegin: boolean; readonly verdict: string } {
  const count = (...standings: readonly SitePrice['standing'][]): number =>
    clients.filter(({ standing }) => standings.includes(standing)).length
  const [ready, possible] = [count('ready'), count('ready', 'away', 'undeclared')]
  if (possible < quorum) {
    const verdict = `The run cannot begin: a round needs ${sites(quorum)}, and ${possible} of ${clients.length} can take part.`
    return { canBegin: false, verdict }
  }
  const rest = `${ready} of ${sites(clients.length)} ready, and a round needs ${quorum}`
  return {
    canBegin: true,
    verdict: ready >= quorum ? `The run can begin: ${rest}.` : `The run waits for sites: ${rest}.`,
  }
}

const sites = (count: number): string => (count === 1 ? '1 site' : `${count} sites`)

/** What a run costs each site, as a table with the reasons below it. */
export function priceText(price: RunPrice, { target, unit }: Pick<RunRequest, 'target' | 'unit'>): string {
  const shown = (value: number | undefined, text: (value: number) => string): string =>
    value === undefined ? '-' : text(value)
  const rows = price.clients.map((site) => [
    site.name,
    STANDING[site.standing],
    site.declaredRecords ?? '-',
    shown(site.noiseMultiplier, significant),
    shown(site.epsilonOfRun, upperBound),
    upperBound(site.epsilonSpent),
    site.roundsAffordable === undefined ? '-' : `${site.roundsAffordable} of ${price.rounds}`,
  ])
  const heads = [
    'site',
    'standing',
    'declared',
    'noise multiplier',
    'epsilon of the run <=',
    'spent before <=',
    'rounds it can pay',
  ]
  const reasons = price.clients.flatMap(({ name, reason }) => (reason === undefined ? [] : [`  ${name}: ${reason}`]))
  return [
    ...(rows.length === 0
      ? ['No site is enrolled yet: `fedsvd token create` makes a token for one.']
      : [table([heads, ...rows])]),
    ...(reasons.length === 0 ? [] : ['', ...reasons]),
    '',
    `The run asks each site for at most epsilon ${target.epsilon} at delta ${target.delta}, per ${unit?.kind === 'person' ? 'person' : 'record'}.`,
    'Epsilon is by PLD, as of a site’s first run; sites choose their noise themselves, and one that has spent before',
    'adds more or stays out.',
    readiness(price).verdict,
  ].join('\n')
}
