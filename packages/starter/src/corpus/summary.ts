import { STARTER_CLIENTS, type StarterClient } from './clients.ts'
import { STARTER_LABELS, type StarterLabel } from './corpus-files.ts'
import type { StarterCorpus, StarterRecord } from './load.ts'
import type { StarterSplit } from './split.ts'

/** Counts of one part of the split. */
export interface PartSummary {
  readonly records: number
  readonly classes: Readonly<Record<StarterLabel, number>>
  /** Share of the larger class: what guessing always the same reaches. */
  readonly majority: number
}

export interface CorpusSummary {
  readonly mails: number
  readonly dropped: StarterCorpus['dropped']
  readonly holdOut: PartSummary
  readonly clients: readonly (PartSummary &
    Pick<StarterClient, 'name' | 'description'> & {
      /** Records by source, the ten largest. */
      readonly largestSources: Readonly<Record<string, number>>
    })[]
}

/** Counts everything once, for the demo's first lines and for the record. The corpus is public, so its counts are. */
export function corpusSummary(corpus: StarterCorpus, split: StarterSplit): CorpusSummary {
  const { records, dropped } = corpus
  return {
    mails: records.length + dropped.empty + dropped.repeated,
    dropped,
    holdOut: partSummary(split.holdOut),
    clients: split.clients.map(({ name, records }) => ({
      name,
      description: STARTER_CLIENTS.find((client) => client.name === name)!.description,
      ...partSummary(records),
      largestSources: largestSources(records),
    })),
  }
}

function partSummary(records: readonly StarterRecord[]): PartSummary {
  const count = (label: StarterLabel): number => records.filter((record) => record.label === label).length
  const classes = { ham: count('ham'), spam: count('spam') }
  return { records: records.length, classes, majority: Math.max(...STARTER_LABELS.map(count)) / records.length }
}

function largestSources(records: readonly StarterRecord[]): Record<string, number> {
  const counts = new Map<string, number>()
  for (const { source } of records) counts.set(source, (counts.get(source) ?? 0) + 1)
  const ordered = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
  return Object.fromEntries(ordered.slice(0, 10))
}
