import type { RoundChange } from '../storage/records/index.ts'
import type { OpenSpan, Tracer } from '../telemetry/index.ts'

interface Open {
  readonly round: number
  readonly span: OpenSpan
  readonly phase: OpenSpan
}

/**
 * A span for each round and, inside it, one for each of its phases, from the changes that are stored: whatever a round
 * does and however its code is laid out, it is as long as its phase was. A round that was taken up after a restart has
 * a span of the part that this process saw.
 */
export function roundSpans(tracer: Tracer): (change: RoundChange, at: number) => void {
  const open = new Map<string, Open>()
  return ({ before, after }, at) => {
    if (!tracer.isOn || before?.phase === after.phase) return
    const { runId, round, phase, tasks } = after
    const known = open.get(runId)
    known?.phase.end(at)
    const isSame = known?.round === round
    if (known !== undefined && !isSame) known.span.end(at)
    const attributes = { 'fedsvd.run': runId, 'fedsvd.round': round }
    const span = isSame ? known.span : tracer.begin('round', attributes, before === undefined ? after.openedAt : at)
    if (phase === 'published') {
      const delivered = tasks.filter(({ state }) => state === 'delivered').length
      span.set({ 'fedsvd.clients.asked': tasks.length, 'fedsvd.clients.delivered': delivered })
      span.end(at)
      open.delete(runId)
      return
    }
    open.set(runId, { round, span, phase: tracer.begin(`round ${phase}`, attributes, at, span) })
  }
}
