import { useComputedColorScheme } from '@mantine/core'
import { BarChart, HeatmapChart, LineChart } from 'echarts/charts'
import {
  AriaComponent,
  DataZoomComponent,
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TooltipComponent,
  VisualMapComponent,
} from 'echarts/components'
import { type ECharts, type EChartsCoreOption, init, use } from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'
import { useEffect, useRef } from 'react'
import { PALETTE } from '../theme.ts'

use([
  AriaComponent,
  BarChart,
  CanvasRenderer,
  DataZoomComponent,
  GridComponent,
  HeatmapChart,
  LegendComponent,
  LineChart,
  MarkLineComponent,
  TooltipComponent,
  VisualMapComponent,
])

export interface Ink {
  readonly text: string
  readonly muted: string
  readonly line: string
  readonly paper: string
}

const LIGHT: Ink = { text: '#212529', muted: '#495057', line: '#dee2e6', paper: '#ffffff' }
const DARK: Ink = { text: '#e9ecef', muted: '#c1c2c5', line: '#424242', paper: '#242424' }

/** A canvas that follows its option, its width and the colour scheme. `label` says in words what it shows. */
export function Chart(props: {
  readonly label: string
  readonly height: number
  readonly option: (ink: Ink) => EChartsCoreOption
  /** Part of it is still being computed. */
  readonly isBusy?: boolean
}) {
  const { label, height, option, isBusy = false } = props
  const place = useRef<HTMLDivElement>(null)
  const chart = useRef<ECharts>(null)
  const ink = useComputedColorScheme('light') === 'dark' ? DARK : LIGHT

  useEffect(() => {
    const made = init(place.current, undefined, { renderer: 'canvas' })
    chart.current = made
    const observer = new ResizeObserver(() => made.resize())
    observer.observe(place.current!)
    return () => {
      observer.disconnect()
      made.dispose()
    }
  }, [])

  useEffect(() => {
    // Zooming stays where it is: only what the option names is merged, and series are replaced.
    chart.current?.setOption(base(ink), false)
    chart.current?.setOption(option(ink), { replaceMerge: ['series', 'yAxis', 'xAxis', 'grid', 'visualMap'] })
  }, [option, ink])

  return <div ref={place} className="chart" style={{ height }} role="img" aria-label={label} aria-busy={isBusy} />
}

function base(ink: Ink): EChartsCoreOption {
  return {
    animation: false,
    color: [...PALETTE],
    textStyle: { color: ink.text, fontFamily: 'system-ui, sans-serif' },
    // Drawn on the canvas: a tooltip of HTML would need inline styles, which the page forbids itself.
    tooltip: {
      trigger: 'axis',
      renderMode: 'richText',
      confine: true,
      backgroundColor: ink.paper,
      borderColor: ink.line,
      textStyle: { color: ink.text, fontSize: 12 },
    },
    legend: {
      top: 0,
      left: 0,
      type: 'scroll',
      textStyle: { color: ink.text },
      pageTextStyle: { color: ink.text },
      inactiveColor: ink.line,
    },
  }
}

/** An axis of numbers in the page's ink. */
export function valueAxis(ink: Ink, name: string, more: object = {}) {
  return {
    type: 'value',
    name,
    nameLocation: 'end',
    nameTextStyle: { color: ink.muted, align: 'left', padding: [0, 0, 0, -30] },
    axisLabel: { color: ink.muted },
    axisLine: { show: false },
    splitLine: { lineStyle: { color: ink.line } },
    ...more,
  }
}

/** An axis of rounds. */
export function roundAxis(ink: Ink, more: object = {}) {
  return {
    type: 'value',
    name: 'round',
    nameLocation: 'middle',
    nameGap: 24,
    minInterval: 1,
    nameTextStyle: { color: ink.muted },
    axisLabel: { color: ink.muted },
    axisLine: { lineStyle: { color: ink.line } },
    splitLine: { show: false },
    ...more,
  }
}

/** Zoom by wheel and by handles; worth its place only where there is much to see. */
export function zoomFor(rounds: number, ink: Ink) {
  if (rounds <= 20) return []
  const slider = {
    type: 'slider',
    height: 18,
    bottom: 6,
    borderColor: ink.line,
    textStyle: { color: ink.muted },
    brushSelect: false,
  }
  return [{ type: 'inside', zoomOnMouseWheel: 'ctrl' }, slider]
}
