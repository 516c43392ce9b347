import { roundNumber } from '@fedsvd/core/errors'
import type { RoundSummary, RunManifest } from '@fedsvd/core/protocol'
import { NativeSelect, Text } from '@mantine/core'
import { memo, useMemo, useState } from 'react'
import { Chart } from '../../charts/chart.tsx'
import { heatMap, isUniform } from '../../charts/heat-map.ts'
import { Panel } from '../../components/panel.tsx'
import { Empty } from '../../components/state.tsx'
import { significant } from '../../format.ts'
import { texts } from '../../texts/index.ts'

/** exp of the entropy of the normalised spectrum (Roy and Vetterli 2007): 1 for one direction, r for r equal ones. */
export function effectiveRank(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0)
  if (!(sum > 0)) return 0
  return Math.exp(
    -values.reduce((total, value) => (value > 0 ? total + (value / sum) * Math.log(value / sum) : total), 0),
  )
}

type WithSpectra = RoundSummary & Required<Pick<RoundSummary, 'spectra'>>

/** Which directions the adapter uses: singular values of one layer, or the effective rank of all. */
export const Spectrum = memo(function Spectrum({
  rounds,
  manifest,
}: {
  readonly rounds: readonly RoundSummary[]
  readonly manifest: RunManifest
}) {
  const [layer, setLayer] = useState('')
  const known = useMemo(() => rounds.filter((round): round is WithSpectra => round.spectra !== undefined), [rounds])
  const { layers } = manifest.adapter
  const newest = known.at(-1)
  const ranks = newest?.spectra.map(effectiveRank) ?? []
  const mean = ranks.reduce((sum, rank) => sum + rank, 0) / Math.max(1, ranks.length)
  const isAll = layer === ''
  return (
    <Panel title="Singular spectrum" kind="noised">
      {newest === undefined ? (
        <Empty>No spectrum yet; there is one after each round.</Empty>
      ) : (
        <>
          <Text size="sm" mb="xs">
            Effective rank after round {roundNumber(newest.round)}: {mean.toFixed(2)} of {manifest.adapter.rank}
            {layers.length > 1 && `, the mean of ${layers.length} layers`}.
          </Text>
          <NativeSelect
            label="Shown"
            size="xs"
            mb="xs"
            maw={420}
            value={layer}
            onChange={(event) => setLayer(event.currentTarget.value)}
            data={[
              { value: '', label: 'effective rank of every layer' },
              ...layers.map(({ name }, index) => ({ value: String(index), label: `singular values of ${name}` })),
            ]}
          />
          {isAll ? (
            <Ranks rounds={known} manifest={manifest} />
          ) : (
            <Values rounds={known} layer={Number(layer)} rank={manifest.adapter.rank} />
          )}
        </>
      )}
    </Panel>
  )
})

function Ranks({ rounds, manifest }: { readonly rounds: readonly WithSpectra[]; readonly manifest: RunManifest }) {
  const { layers, rank } = manifest.adapter
  const ranks = useMemo(() => columnsOf(rounds, ({ spectra }) => spectra.map(effectiveRank)), [rounds])
  const heat = useMemo(
    () =>
      heatMap({
        ...ranks,
        rows: layers.map(({ name }) => shortName(name)),
        min: 0,
        max: rank,
        title: 'effective\nrank',
        format: (value) => value.toFixed(2),
      }),
    [ranks, layers, rank],
  )
  if (isUniform(ranks.columns)) return <Text size="sm">{texts.run.sameRank(layers.length, rounds.length)}</Text>
  return (
    <Chart
      height={heightFor(layers.length)}
      {...heat}
      label={`Effective rank of ${layers.length} layers over ${rounds.length} rounds`}
    />
  )
}

function Values({
  rounds,
  layer,
  rank,
}: {
  readonly rounds: readonly WithSpectra[]
  readonly layer: number
  readonly rank: number
}) {
  const heat = useMemo(() => {
    const logs = columnsOf(rounds, ({ spectra }) =>
      (spectra[layer] ?? []).map((value) => (value > 0 ? Math.log10(value) : Number.NaN)),
    )
    let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    for (const value of logs.columns.flatMap((column) => column ?? [])) {
      if (value < min) min = value
      if (value > max) max = value
    }
    return heatMap({
      ...logs,
      rows: Array.from({ length: rank }, (_, index) => `σ${index + 1}`),
      ...(min <= max ? { min, max } : { min: -1, max: 0 }),
      title: 'log₁₀ σ',
      format: (value) => significant(10 ** value, 3),
    })
  }, [rounds, layer, rank])
  return (
    <Chart height={heightFor(rank)} {...heat} label={`Singular values of one layer over ${rounds.length} rounds`} />
  )
}

/** A column for every round from the first one with a spectrum to the last, empty where one has none. */
function columnsOf(rounds: readonly WithSpectra[], valuesOf: (round: WithSpectra) => readonly number[]) {
  const first = rounds[0]?.round ?? 0
  const columns: (readonly number[] | undefined)[] = []
  for (const round of rounds) columns[round.round - first] = valuesOf(round)
  return { first, columns: Array.from(columns) }
}

function heightFor(rows: number): number {
  return Math.min(560, 150 + 22 * rows)
}

function shortName(name: string): string {
  return name.length <= 22 ? name : `…${name.slice(-21)}`
}
