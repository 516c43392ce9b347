import { BarChart, CustomChart, LineChart } from 'echarts/charts'
import {
  DataZoomComponent,
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TooltipComponent,
  VisualMapComponent,
} from 'echarts/components'
import { type ECharts, type EChartsCoreOption, init, use } from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'
import { giveUp, queueFrame } from '../frame-queue.ts'

use([
  BarChart,
  CanvasRenderer,
  CustomChart,
  DataZoomComponent,
  GridComponent,
  LegendComponent,
  LineChart,
  MarkLineComponent,
  TooltipComponent,
  VisualMapComponent,
])

/** Zooming stays where it is: only what the option names is merged, and these are replaced. */
const REPLACED = ['series', 'yAxis', 'xAxis', 'grid', 'visualMap']

/** What to say at a place of a chart, in the units of its axes; undefined where there is nothing. */
export type Tip = (x: number, y: number) => string | undefined

export interface Picture {
  readonly option: EChartsCoreOption
  /** Asked where the series has no elements of its own that could be pointed at. */
  readonly tip?: Tip | undefined
}

/**
 * A chart in a place of the page, drawn in its turn: several changes before that cost one drawing. It is made in one
 * turn, takes its option in another, and works it out before the picture after that.
 */
export function canvasIn(place: HTMLElement, onDrawn: (picture: Picture) => void) {
  let chart: ECharts | undefined
  let wanted: Picture | undefined
  let taken: Picture | undefined
  let isOver = (): void => {}
  const draw = (): void | Promise<void> => {
    const { clientWidth: width, clientHeight: height } = place
    if (wanted === undefined || width === 0) return
    if (chart === undefined) {
      chart = pointedAt(init(place, undefined, { renderer: 'canvas', width, height }), () => taken?.tip)
      chart.on('rendered', () => isOver())
      return queueFrame(draw)
    }
    if (chart.getWidth() !== width || chart.getHeight() !== height) chart.resize({ width, height })
    if (wanted === taken) return
    const picture = wanted
    taken = picture
    chart.setOption(picture.option, { replaceMerge: REPLACED, lazyUpdate: true })
    return new Promise<void>((resolve) => {
      isOver = resolve
    }).then(() => onDrawn(picture))
  }
  const observer = new ResizeObserver(() => {
    if (chart?.getWidth() !== place.clientWidth || chart.getHeight() !== place.clientHeight) queueFrame(draw)
  })
  observer.observe(place)
  return {
    show(picture: Picture): void {
      wanted = picture
      queueFrame(draw)
    },
    leave(): void {
      observer.disconnect()
      giveUp(draw)
      chart?.dispose()
      isOver()
    },
  }
}

function pointedAt(chart: ECharts, tipNow: () => Tip | undefined): ECharts {
  chart.getZr().on('mousemove', ({ offsetX: x, offsetY: y }) => {
    const tip = tipNow()
    if (tip === undefined) return
    const place = chart.containPixel({ gridIndex: 0 }, [x, y]) ? chart.convertFromPixel({ gridIndex: 0 }, [x, y]) : []
    const text = place.length === 2 ? tip(place[0]!, place[1]!) : undefined
    if (text === undefined) chart.dispatchAction({ type: 'hideTip' })
    else chart.dispatchAction({ type: 'showTip', x, y, tooltip: { formatter: () => text } })
  })
  chart.getZr().on('globalout', () => {
    if (tipNow() !== undefined) chart.dispatchAction({ type: 'hideTip' })
  })
  return chart
}
