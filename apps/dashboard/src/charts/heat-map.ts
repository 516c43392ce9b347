import { roundNumber } from '@fedsvd/core/errors'
import { color, type EChartsCoreOption } from 'echarts/core'
import type { Picture } from './canvas.ts'
import { type Ink, roundAxis, valueAxis, wholeOnly, zoomFor } from './chart-theme.ts'

/** Viridis: even steps of lightness, told apart by people with any colour vision. */
const VIRIDIS = ['#440154', '#472f7d', '#39568c', '#287c8e', '#1f988b', '#35b779', '#90d743', '#fde725']
const SHADES = Array.from({ length: 256 }, (_, index) => color.parse(color.lerp(index / 255, VIRIDIS) as string)!)

/** A column for each round and a row for each thing measured in it. */
export interface Heat {
  /** Round of the first column, from 0 as on the wire; the others follow it. */
  readonly first: number
  readonly rows: readonly string[]
  /** `columns[x][y]`; what is not a number is left empty. */
  readonly columns: readonly (readonly number[] | undefined)[]
  readonly min: number
  readonly max: number
  readonly title: string
  readonly format: (value: number) => string
}

/**
 * A heat-map that costs the same however many cells it has: they are the pixels of one picture, and a chart is given
 * that one, cut and stretched to what its zoom shows.
 */
export function heatMap(heat: Heat): {
  readonly option: (ink: Ink) => EChartsCoreOption
  readonly tip: Picture['tip']
} {
  const { rows, columns, min, title, format } = heat
  const first = roundNumber(heat.first)
  const max = heat.max > min ? heat.max : min + 1
  const count = columns.length
  let cells: HTMLCanvasElement | undefined
  return {
    tip: (x, y) => {
      const [column, row] = [Math.round(x) - first, Math.round(y)]
      const value = columns[column]?.[row]
      if (value === undefined || !Number.isFinite(value)) return undefined
      return `round ${roundNumber(heat.first + column)}, ${rows[row]}: ${format(value)}`
    },
    option: (ink) => ({
      grid: { top: 12, left: 8, right: 84, bottom: count > 20 ? 58 : 32, containLabel: true },
      dataZoom: zoomFor(count, ink).map((zoom) => ({ ...zoom, filterMode: 'none' })),
      legend: { show: false },
      tooltip: { trigger: 'item', triggerOn: 'none' },
      xAxis: roundAxis(ink, {
        min: first - 0.5,
        max: first + count - 0.5,
        axisLabel: { color: ink.muted, formatter: wholeOnly },
      }),
      yAxis: valueAxis(ink, '', { type: 'category', data: rows, inverse: true, splitLine: { show: false } }),
      visualMap: {
        min,
        max,
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
      series: [
        {
          type: 'custom',
          silent: true,
          clip: true,
          data: [[first, 0]],
          renderItem: ({ coordSys }: { coordSys: Box }, { coord }: { coord: (place: number[]) => number[] }) => {
            cells ??= picture(columns, rows.length, (value) => (value - min) / (max - min))
            const left = coord([first - 0.5, 0])[0]!
            const width = coord([first + count - 0.5, 0])[0]! - left
            return { type: 'image', style: { ...box(coordSys), image: cutOut(cells, coordSys, left, width) } }
          },
        },
      ],
    }),
  }
}

/** True where no value is further from the first than so much of it: a picture of them would have one colour. */
export function isUniform(columns: Heat['columns'], tolerance = 0.01): boolean {
  const values = columns.flatMap((column) => (column ?? []).filter(Number.isFinite))
  const [first = 0] = values
  return values.every((value) => Math.abs(value - first) <= tolerance * Math.abs(first))
}

interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

const box = ({ x, y, width, height }: Box): Box => ({ x, y, width, height })

/** One pixel for each cell; transparent where there is no value. */
function picture(columns: Heat['columns'], height: number, shadeOf: (value: number) => number): HTMLCanvasElement {
  const canvas = canvasOf(Math.max(1, columns.length), Math.max(1, height))
  const context = canvas.getContext('2d')!
  const image = context.createImageData(canvas.width, canvas.height)
  for (const [x, column] of columns.entries()) {
    for (let y = 0; y < height; y += 1) {
      const value = column?.[y] ?? Number.NaN
      if (!Number.isFinite(value)) continue
      const shade = SHADES[Math.round(255 * Math.min(1, Math.max(0, shadeOf(value))))]!
      image.data.set([shade[0]!, shade[1]!, shade[2]!, 255], 4 * (y * canvas.width + x))
    }
  }
  context.putImageData(image, 0, 0)
  return canvas
}

/**
 * What is seen of the cells in a box, when all of them would reach from `left` over `width`. Columns are averaged where
 * there are more of them than pixels; otherwise every cell keeps its edges.
 */
function cutOut(cells: HTMLCanvasElement, { x, width: seen, height }: Box, left: number, width: number) {
  const scale = cells.width / width
  const [from, span] = [(x - left) * scale, seen * scale]
  const ratio = globalThis.devicePixelRatio
  const [across, down] = [Math.max(1, Math.round(seen * ratio)), Math.max(1, Math.round(height * ratio))]
  const strip = canvasOf(across, cells.height)
  const narrow = strip.getContext('2d')!
  narrow.imageSmoothingEnabled = span > across
  narrow.imageSmoothingQuality = 'high'
  narrow.drawImage(cells, from, 0, span, cells.height, 0, 0, across, cells.height)
  const shown = canvasOf(across, down)
  const context = shown.getContext('2d')!
  context.imageSmoothingEnabled = false
  context.drawImage(strip, 0, 0, across, cells.height, 0, 0, across, down)
  return shown
}

function canvasOf(width: number, height: number): HTMLCanvasElement {
  return Object.assign(document.createElement('canvas'), { width, height })
}
