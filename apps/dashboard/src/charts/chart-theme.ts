import type { EChartsCoreOption } from 'echarts/core'
import { FONT, PALETTE, PALETTE_ON_DARK } from '../theme.ts'

export interface Ink {
  readonly text: string
  readonly muted: string
  readonly line: string
  readonly paper: string
  /** Of series, in their order. */
  readonly series: readonly string[]
}

export const LIGHT: Ink = { text: '#212529', muted: '#495057', line: '#dee2e6', paper: '#ffffff', series: PALETTE }
export const DARK: Ink = {
  text: '#e9ecef',
  muted: '#c1c2c5',
  line: '#424242',
  paper: '#242424',
  series: PALETTE_ON_DARK,
}

/** An option in the page's ink, with what all charts share. */
export function withBase(ink: Ink, option: EChartsCoreOption): EChartsCoreOption {
  const { tooltip, legend, ...shared } = base(ink)
  return {
    ...shared,
    ...option,
    tooltip: { ...tooltip, ...(option.tooltip as object | undefined) },
    legend: { ...legend, ...(option.legend as object | undefined) },
  }
}

function base(ink: Ink) {
  return {
    animation: false,
    color: [...ink.series],
    textStyle: { color: ink.text, fontFamily: FONT },
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

/** The label of a round; none between rounds. */
export function wholeOnly(value: number): string {
  return Number.isInteger(value) ? String(value) : ''
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
