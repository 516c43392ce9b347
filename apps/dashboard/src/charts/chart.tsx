import { useComputedColorScheme } from '@mantine/core'
import type { EChartsCoreOption } from 'echarts/core'
import { useEffect, useMemo, useRef, useState } from 'react'
import { canvasIn, type Picture, type Tip } from './canvas.ts'
import { DARK, type Ink, LIGHT, withBase } from './chart-theme.ts'

/** A canvas that follows its option, its size and the colour scheme. `label` says in words what it shows. */
export function Chart(props: {
  readonly label: string
  readonly height: number
  readonly option: (ink: Ink) => EChartsCoreOption
  readonly tip?: Tip
  /** Part of it is still being computed. */
  readonly isBusy?: boolean
}) {
  const { label, height, option, tip, isBusy = false } = props
  const place = useRef<HTMLDivElement>(null)
  const canvas = useRef<ReturnType<typeof canvasIn>>(null)
  const [drawn, setDrawn] = useState<Picture>()
  const ink = useComputedColorScheme('light') === 'dark' ? DARK : LIGHT
  const picture = useMemo(() => ({ option: withBase(ink, option(ink)), tip }), [option, tip, ink])

  useEffect(() => {
    const made = canvasIn(place.current!, setDrawn)
    canvas.current = made
    return () => made.leave()
  }, [])
  useEffect(() => canvas.current?.show(picture), [picture])

  const isBehind = isBusy || drawn !== picture
  return <div ref={place} className="chart" style={{ height }} role="img" aria-label={label} aria-busy={isBehind} />
}
