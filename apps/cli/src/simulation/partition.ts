import { FedsvdError } from '@fedsvd/core/errors'
import { RandomBits, type RandomSource, seededSource, shuffled } from '@fedsvd/core/random'
import { dirichlet } from './dirichlet.ts'

/** How the records of a simulation come to its sites. */
export type Partition =
  /** Each record to any site: all sites are alike. */
  | { readonly kind: 'iid' }
  /** The records of each label by shares drawn from a Dirichlet distribution: the smaller, the more unlike. */
  | { readonly kind: 'dirichlet'; readonly concentration: number }
  /** The values of a column, as the data have grown: one site for each, or several values to a site. */
  | { readonly kind: 'column'; readonly name: string }
  /** In the order of labels, cut into pieces of one size; each site gets so many of them (McMahan et al. 2017). */
  | { readonly kind: 'shards'; readonly perSite: number }

/** What a partition looks at. */
export interface PartitionedRecord {
  /** The label of a whole text; absent for tasks without one. */
  readonly label?: string | undefined
  /** The value of the column that the records are partitioned by. */
  readonly group?: string | undefined
}

const FORMS = 'iid, dirichlet:0.5, shards:2 or column:NAME'

/** Reads what `--partition` says. @throws FedsvdError CONFIG_INVALID */
export function parsePartition(text: string): Partition {
  const [kind, ...rest] = text.split(':')
  const value = rest.join(':')
  if (kind === 'iid' && rest.length === 0) return { kind }
  if (kind === 'column' && value !== '') return { kind, name: value }
  const number = value.trim() === '' ? Number.NaN : Number(value)
  // Below 0.001 every label has one site, and above 10,000 all sites are alike.
  if (kind === 'dirichlet' && number >= 1e-3 && number <= 1e4) return { kind, concentration: number }
  if (kind === 'shards' && Number.isInteger(number) && number >= 1 && number <= 10_000) return { kind, perSite: number }
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `a partition: ${FORMS}; a concentration from 0.001 to 10000, shards from 1 to 10000`,
    got: text,
    remedy: 'Correct --partition.',
  })
}

/** The partition as `--partition` takes it. */
export function partitionText(partition: Partition): string {
  switch (partition.kind) {
    case 'iid':
      return 'iid'
    case 'dirichlet':
      return `dirichlet:${partition.concentration}`
    case 'column':
      return `column:${partition.name}`
    case 'shards':
      return `shards:${partition.perSite}`
  }
}

/** The records of one site, by their positions, which ascend; at least one. */
export interface SiteRecords {
  readonly name: string
  readonly positions: readonly number[]
}

/**
 * Deals the records to sites. The same records, partition and seed always come to the same; no record is left over, and
 * no site is empty: one that got nothing takes a record from the largest.
 *
 * @param sites how many; absent: one for each value of the column
 * @throws FedsvdError CONFIG_INVALID for a partition that these records do not have
 */
export function partitionRecords(
  records: readonly PartitionedRecord[],
  { partition, sites, seed }: { partition: Partition; sites?: number | undefined; seed: string },
): readonly SiteRecords[] {
  if (partition.kind === 'column') return byColumn(records, partition.name, sites)
  const count = sites ?? 0
  if (count < 1 || count > records.length) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `from 1 to ${records.length} clients, one record each at least`,
      got: sites === undefined ? 'no number of clients' : String(sites),
      remedy: 'Correct --clients, or bring more data.',
    })
  }
  const source = seededSource(seed, 'partition', partitionText(partition))
  const parts = dealt(records, count, partition, source)
  const width = String(count).length
  return parts.map((positions, index) => ({
    name: `site ${String(index + 1).padStart(width, '0')}`,
    positions: [...positions].sort((left, right) => left - right),
  }))
}

function dealt(
  records: readonly PartitionedRecord[],
  sites: number,
  partition: Exclude<Partition, { kind: 'column' }>,
  source: RandomSource,
): number[][] {
  switch (partition.kind) {
    case 'iid':
      return inTurns(
        shuffled(
          source,
          records.map((_, position) => position),
        ),
        sites,
      )
    case 'dirichlet':
      return byDirichlet(records, sites, partition.concentration, source)
    case 'shards':
      return byShards(records, sites, partition.perSite, source)
  }
}

function inTurns(order: readonly number[], sites: number): number[][] {
  const parts = Array.from({ length: sites }, (): number[] => [])
  for (const [index, position] of order.entries()) parts[index % sites]!.push(position)
  return parts
}

function byDirichlet(
  records: readonly PartitionedRecord[],
  sites: number,
  concentration: number,
  source: RandomSource,
): number[][] {
  const bits = RandomBits.from(source)
  const parts = Array.from({ length: sites }, (): number[] => [])
  for (const positions of byLabel(records, 'dirichlet')) {
    const shares = dirichlet(bits, sites, concentration)
    const order = shuffled(bits, positions)
    let [begun, share] = [0, 0]
    for (const [site, part] of parts.entries()) {
      share += shares[site]!
      const end = site === sites - 1 ? order.length : Math.round(share * order.length)
      part.push(...order.slice(begun, end))
      begun = Math.max(begun, end)
    }
  }
  return withoutEmpty(parts)
}

function byShards(
  records: readonly PartitionedRecord[],
  sites: number,
  perSite: number,
  source: RandomSource,
): number[][] {
  const shards = sites * perSite
  if (shards > records.length) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `at most ${records.length} shards, one for each record`,
      got: `${shards}, ${perSite} for each of ${sites} clients`,
      remedy: 'Ask for fewer shards or clients.',
    })
  }
  const order = byLabel(records, 'shards').flatMap((positions) => shuffled(source, positions))
  const at = (shard: number): number => Math.round((shard * order.length) / shards)
  const cut = Array.from({ length: shards }, (_, shard) => order.slice(at(shard), at(shard + 1)))
  const chosen = shuffled(source, cut)
  return Array.from({ length: sites }, (_, site) => chosen.slice(site * perSite, (site + 1) * perSite).flat())
}

/** Positions of the records of each label, in the order of labels. @throws FedsvdError CONFIG_INVALID without labels */
function byLabel(records: readonly PartitionedRecord[], kind: string): readonly (readonly number[])[] {
  const found = groups(records, ({ label }) => label)
  if (found !== undefined) return found.map(([, positions]) => positions)
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `one label for each record, which the partition ${kind} goes by`,
    got: 'records of a task without one',
    remedy: 'Use --partition iid, or column:NAME.',
  })
}

function byColumn(records: readonly PartitionedRecord[], name: string, sites?: number): readonly SiteRecords[] {
  const found = groups(records, ({ group }) => group)
  if (found === undefined) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `a value in the column ${name} of each record`,
      got: 'records without one',
      remedy: 'Name a column of the data in --partition column:NAME.',
    })
  }
  if (sites === undefined) return found.map(([value, positions]) => ({ name: value, positions }))
  if (sites < 1 || sites > found.length) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `from 1 to ${found.length} clients, as many as the column ${name} has values`,
      got: String(sites),
      remedy: 'Correct --clients, or leave it out for one client for each value.',
    })
  }
  // The next largest group to the site that has least: sites of like size.
  const parts = Array.from({ length: sites }, () => ({ names: [] as string[], positions: [] as number[] }))
  const bySize = [...found].sort(([, left], [, right]) => right.length - left.length)
  for (const [value, positions] of bySize) {
    const least = parts.reduce((small, part) => (part.positions.length < small.positions.length ? part : small))
    least.names.push(value)
    least.positions.push(...positions)
  }
  return parts.map(({ names, positions }) => ({
    name: names.length === 1 ? names[0]! : `${names[0]} and ${names.length - 1} more`,
    positions: positions.sort((left, right) => left - right),
  }))
}

/** In the order of the values; undefined where a record has none. */
function groups(
  records: readonly PartitionedRecord[],
  groupOf: (record: PartitionedRecord) => string | undefined,
): readonly (readonly [value: string, positions: number[]])[] | undefined {
  const found = new Map<string, number[]>()
  for (const [position, record] of records.entries()) {
    const value = groupOf(record)
    if (value === undefined) return undefined
    const known = found.get(value)
    if (known === undefined) found.set(value, [position])
    else known.push(position)
  }
  return [...found].sort(([left], [right]) => (left < right ? -1 : 1))
}

function withoutEmpty(parts: number[][]): number[][] {
  for (const part of parts) {
    if (part.length > 0) continue
    const largest = parts.reduce((large, other) => (other.length > large.length ? other : large))
    part.push(largest.pop()!)
  }
  return parts
}
