import { FedsvdError } from '@fedsvd/core/errors'
import type { LedgerReport, LedgerReportPart } from '@fedsvd/core/protocol'
import { describe, expect, it } from 'vitest'
import type { ClientSocket } from './answers.ts'
import { ReportSender } from './report.ts'

const event = {
  mechanism: 'poisson-subsampled-gaussian',
  sampleRate: 0.1,
  noiseMultiplier: 2,
  steps: 3,
  clipNorm: 1,
  relation: 'add-or-remove-one',
  unit: 'record',
} as const
const reportOf = (rounds: number, runId = '3f2504e0-4f89-41d3-9a0c-0305e82c3301'): LedgerReport => ({
  runId,
  since: 0,
  reservations: Array.from({ length: rounds }, (_, round) => ({ round, attempt: 1, event })),
})

type Answer = (event: string, message: unknown) => unknown

/** A socket whose other end answers; undefined is no answer. */
function socketTo(answer: Answer, isConnected = () => true) {
  const sent: [event: string, message: unknown][] = []
  const emitWithAck = async (name: string, message: unknown): Promise<unknown> => {
    sent.push([name, message])
    await Promise.resolve()
    const reply = answer(name, message)
    if (reply === undefined) throw new Error('operation has timed out')
    return reply
  }
  const socket = {
    get connected() {
      return isConnected()
    },
    timeout: () => ({ emitWithAck }),
  } as unknown as ClientSocket
  return { sender: new ReportSender(socket), sent }
}

const isLast = (message: unknown): boolean => {
  const { index, of } = message as LedgerReportPart
  return index === of - 1
}
const takesParts: Answer = (name, message) =>
  name === 'ledger-report' || isLast(message) ? { agrees: true } : { received: true }

describe('a ledger report', () => {
  it('goes whole where it is short', async () => {
    const { sender, sent } = socketTo(takesParts)
    expect(await sender.send(reportOf(100))).toEqual({ agrees: true })
    expect(sent).toEqual([['ledger-report', reportOf(100)]])
  })

  it('goes in parts that make the same report where it is long, and no two of those mix', async () => {
    const { sender, sent } = socketTo(takesParts)
    const reports = [reportOf(500), reportOf(300, '3f2504e0-4f89-41d3-9a0c-0305e82c3302')]
    expect(await Promise.all(reports.map((report) => sender.send(report)))).toEqual([
      { agrees: true },
      { agrees: true },
    ])
    const parts = sent.map(([, message]) => message as LedgerReportPart)
    const ids = [...new Set(parts.map(({ id }) => id))]
    const texts = ids.map((id) => parts.filter((part) => part.id === id).map(({ text }) => text))
    expect(texts.map((text) => JSON.parse(text.join('')))).toEqual(reports)
    expect(parts.map(({ id }) => id)).toEqual(ids.flatMap((id, index) => texts[index]!.map(() => id)))
  })

  it('begins anew after silence, and in the middle of no report after a lost connection', async () => {
    let silent = true
    let online = true
    const { sender, sent } = socketTo(
      (name, message) => (silent && (message as LedgerReportPart).index === 1 ? undefined : takesParts(name, message)),
      () => online,
    )
    expect(await sender.send(reportOf(500))).toBeUndefined()
    expect(sent).toHaveLength(2)
    online = false
    expect(await sender.send(reportOf(500))).toBeUndefined()
    expect(sent).toHaveLength(2)
    ;[silent, online] = [false, true]
    expect(await sender.send(reportOf(500))).toEqual({ agrees: true })
    expect((sent[2]![1] as LedgerReportPart).index).toBe(0)
  })

  it('goes whole to a coordinator of an earlier release, which knows no parts', async () => {
    const error = new FedsvdError('FORBIDDEN', { expected: 'an event', got: 'ledger-report-part', remedy: 'None.' })
    const { sender, sent } = socketTo((name) =>
      name === 'ledger-report' ? { agrees: true } : { error: error.toJSON() },
    )
    expect(await sender.send(reportOf(500))).toEqual({ agrees: true })
    expect(sent.map(([name]) => name)).toEqual(['ledger-report-part', 'ledger-report'])
  })

  it('that is refused in one of its parts is answered by that refusal', async () => {
    const error = new FedsvdError('RATE_LIMITED', { expected: 'less', got: 'more', remedy: 'Wait.' }).toJSON()
    const { sender, sent } = socketTo(() => ({ agrees: false, error }))
    expect(await sender.send(reportOf(500))).toEqual({ agrees: false, error })
    expect(sent).toHaveLength(1)
  })
})
