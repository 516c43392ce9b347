import type { RoundSummary, RunManifest } from '@fedsvd/core/protocol'
import { NativeSelect, Text } from '@mantine/core'
import { useCallback, useMemo, useState } from 'react'
import { Chart, type Ink, roundAxis, valueAxis, zoomFor } from '../../charts/chart.tsx'
import { significant } from '../../format.ts'
import { Panel } from '../../parts/panel.tsx'
import { Empty } from '../../parts/state.tsx'

/** Viridis: even steps of lightness, told apart by people with any colour vision. */
const VIRIDIS = ['#440154', '#472f7d', '#39568c', '#287c8e', '#1f988b', '#35b779', '#90d743', '#fde725']

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
export function Spectrum({
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
            Effective rank after round {newest.round}: {mean.toFixed(2)} of {manifest.adapter.rank}
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
}

function Ranks({ rounds, manifest }: { readonly rounds: readonly WithSpectra[]; readonly manifest: RunManifest }) {
  const { layers, rank } = manifest.adapter
  const option = useCallback(
    (ink: Ink) =>
      heatMap(ink, {
        rounds: rounds.map(({ round }) => round),
        rows: layers.map(({ name }) => shortName(name)),
        cells: rounds.flatMap(({ spectra }, x) => spectra.map((values, y) => [x, y, effectiveRank(values)])),
        min: 0,
        max: rank,
        title: 'effective rank',
        inverse: true,
        format: (value) => value.toFixed(2),
      }),
    [rounds, layers, rank],
  )
  return (
    <Chart
      height={heightFor(layers.length)}
      option={option}
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
  const option = useCallback(
    (ink: Ink) => {
      const logs = rounds.flatMap(({ spectra }, x) =>
        (spectra[layer] ?? []).map((value, y) => [x, y, value > 0 ? Math.log10(value) : Number.NaN] as const),
      )
      const finite = logs.map(([, , value]) => value).filter(Number.isFinite)
      return heatMap(ink, {
        rounds: rounds.map(({ round }) => round),
        rows: Array.from({ length: rank }, (_, index) => `σ${index + 1}`),
        cells: logs.filter(([, , value]) => Number.isFinite(value)).map((cell) => [...cell]),
        min: finite.length === 0 ? -1 : Math.min(...finite),
        max: finite.length === 0 ? 0 : Math.max(...finite),
        title: 'log₁₀ σ',
        inverse: true,
        format: (value) => significant(10 ** value, 3),
      })
    },
    [rounds, layer, rank],
  )
  return (
    <Chart
      height={heightFor(rank)}
      option={option}
      label={`Singular values of one layer over ${rounds.length} rounds`}
    />
  )
}

function heightFor(rows: number): number {
  return Math.min(560, 150 + 22 * rows)
}

function shortName(name: string): string {
  return name.length <= 22 ? name : `…${name.slice(-21)}`
}

interface HeatMap {
  readonly rounds: readonly number[]
  readonly rows: readonly string[]
  readonly cells: readonly (readonly number[])[]
  readonly min: number
  readonly max: number
  readonly title: string
  readonly inverse: boolean
  readonly format: (value: number) => string
}

function heatMap(ink: Ink, { rounds, rows, cells, min, max, title, inverse, format }: HeatMap) {
  const isZoomed = rounds.length > 20
  return {
    grid: { top: 12, left: 8, right: 84, bottom: isZoomed ? 58 : 32, containLabel: true },
    dataZoom: zoomFor(rounds.length, ink),
    legend: { show: false },
    tooltip: {
      trigger: 'item',
      formatter: ({ data }: { data: readonly [number, number, number] }) =>
        `round ${rounds[data[0]]}, ${rows[data[1]]}: ${format(data[2])}`,
    },
    xAxis: roundAxis(ink, { type: 'category', data: rounds }),
    yAxis: valueAxis(ink, '', { type: 'category', data: rows, inverse }),
    visualMap: {
      min,
      max: max > min ? max : min + 1,
      calculable: false,
      orient: 'vertical',
      right: 0,
      top: 'middle',
      itemHeight: 100,
      itemWidth: 12,
      precision: 2,
      text: [title, ''],
      textStyle: { color: ink.muted },
      inRange: { color: VIRIDIS },
    },
    series: [{ type: 'heatmap', data: cells, progressive: 4000 }],
  }
}
