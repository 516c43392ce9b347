import type { CDPSession, Page } from 'playwright-core'

/** What the main thread of a page was busy with, in milliseconds. */
export interface Busy {
  /** The longest that it worked without a pause, in processor time: the same on a crowded machine. */
  readonly processor: number
  /** The same by the clock, other programs' turns included. */
  readonly clock: number
  /** By the clock, from an input to the picture after it; 0 below 16. */
  readonly slowestInput: number
}

interface TraceEvent {
  readonly name: string
  readonly pid: number
  readonly tid: number
  readonly dur?: number
  readonly tdur?: number
  readonly args: { readonly name?: string }
}

/** Watches a page while something is done on it. */
export async function busyWhile(page: Page, act: () => Promise<void>): Promise<Busy> {
  const session = await page.context().newCDPSession(page)
  const events: TraceEvent[] = []
  session.on('Tracing.dataCollected', ({ value }) => events.push(...(value as unknown as TraceEvent[])))
  await session.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: { includedCategories: ['toplevel'] },
  })
  await page.evaluate(`{
    globalThis.slowInputs = []
    globalThis.inputs = new PerformanceObserver((list) => slowInputs.push(...list.getEntries().map((e) => e.duration)))
    inputs.observe({ type: 'event', durationThreshold: 16 })
  }`)
  await act()
  const slowestInput = await page.evaluate<number>(`new Promise((done) => requestIdleCallback(() => {
    inputs.disconnect()
    done(Math.max(0, ...slowInputs))
  }))`)
  await endOfTrace(session)
  const tasks = mainThreadTasks(events)
  const longest = (of: (task: TraceEvent) => number): number => Math.round(Math.max(0, ...tasks.map(of)) / 1000)
  return { processor: longest(({ tdur = 0 }) => tdur), clock: longest(({ dur = 0 }) => dur), slowestInput }
}

async function endOfTrace(session: CDPSession): Promise<void> {
  const complete = new Promise<void>((resolve) => {
    session.once('Tracing.tracingComplete', () => resolve())
  })
  await session.send('Tracing.end')
  await complete
  await session.detach()
}

function mainThreadTasks(events: readonly TraceEvent[]): readonly TraceEvent[] {
  const isMain = new Set(
    events
      .filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain')
      .map(({ pid, tid }) => `${pid}/${tid}`),
  )
  return events.filter(({ name, pid, tid }) => name.endsWith('RunTask') && isMain.has(`${pid}/${tid}`))
}
