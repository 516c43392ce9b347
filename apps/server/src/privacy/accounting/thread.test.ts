import { EventEmitter } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import type { Answer, Question } from './answer.ts'
import type { AccountingWorker } from './lane.ts'
import { accountingThread } from './thread.ts'

/** A question of so many steps; the workers here do what a test says instead of computing. */
const question = (steps: number): Question => {
  return { kind: 'bound', by: 'rdp', events: [{ sampleRate: 0.1, noiseMultiplier: 1, steps }], delta: 1e-5 }
}
const stepsIn = (asked: Question): number => (asked.kind === 'bound' ? asked.events[0]!.steps : 0)

/**
 * Workers that answer with the number of steps at once, but for those of more than `slowFrom`: only when they are let.
 */
function workers(slowFrom: number) {
  const held: (() => void)[] = []
  let started = 0
  const start = async (): Promise<AccountingWorker> => {
    started += 1
    const emitter = new EventEmitter()
    const postMessage = (asked: Question): void => {
      const reply = (): void => void emitter.emit('message', { value: stepsIn(asked) } satisfies Answer)
      if (stepsIn(asked) > slowFrom) held.push(reply)
      else setImmediate(reply)
    }
    return Object.assign(emitter, { postMessage, terminate: async () => 0 }) as unknown as AccountingWorker
  }
  return { start, held, started: () => started }
}

const LIMITS = { limitMs: 600_000, quickMs: 20, patienceMs: 600_000, slowForMs: 600_000 }

describe('a client whose accounting takes long', () => {
  it('delays its own answers only, however many questions it has', async () => {
    const { start, held } = workers(1000)
    const thread = accountingThread(LIMITS, start)
    const slow = Array.from({ length: 50 }, (_, index) => thread.ask(question(2000 + index), 'urgent', 'hostile'))
    for (let steps = 1; steps <= 20; steps += 1) {
      expect(await thread.ask(question(steps), 'urgent', `honest ${steps % 3}`)).toBe(steps)
      expect(await thread.ask(question(100 + steps), 'shown')).toBe(100 + steps)
    }
    void Promise.all(slow)
    await expect.poll(() => held.length).toBeGreaterThan(0)
    expect(await thread.ask(question(50), 'urgent', 'honest 1')).toBe(50)
  })

  it('is given up on by the rounds that wait for it, and its answer is there the next time', async () => {
    const { start, held } = workers(1000)
    const thread = accountingThread({ ...LIMITS, patienceMs: 30 }, start)
    expect(await thread.ask(question(2000), 'urgent', 'hostile')).toBeUndefined()
    expect(await thread.ask(question(3000), 'urgent', 'hostile')).toBeUndefined() // at once
    expect(held).toHaveLength(2) // by either worker
    held[1]!()
    await expect.poll(() => thread.ask(question(2000), 'urgent', 'hostile')).toBe(2000)
  })

  it('may have so many questions waiting, and others still have room', async () => {
    const { start } = workers(0)
    const thread = accountingThread({ ...LIMITS, quickMs: 600_000, mostWaitingEach: 5 }, start)
    const asked = Array.from({ length: 50 }, (_, index) => thread.ask(question(1 + index), 'shown', 'hostile'))
    expect(await asked[49]).toBeUndefined()
    let isAnswered = false
    void thread.ask(question(99), 'urgent', 'honest').then(() => (isAnswered = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(isAnswered).toBe(false) // it waits, and is not refused
  })

  it('has its turn behind those for whom less was done', async () => {
    const { start, held } = workers(1000)
    const thread = accountingThread({ ...LIMITS, quickMs: 600_000 }, start)
    const order: string[] = []
    const ask = (whose: string, steps: number) =>
      thread.ask(question(steps), 'urgent', whose).then(() => order.push(whose))
    const all = [ask('busy', 2000), ask('busy', 1), ask('busy', 2), ask('idle', 3), ask('idle', 4)]
    await expect.poll(() => held.length).toBe(1)
    // How long a question takes here is what this clock says, however busy the machine is.
    const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 60_000)
    held[0]!()
    await Promise.all(all)
    clock.mockRestore()
    expect(order).toEqual(['busy', 'idle', 'idle', 'busy', 'busy'])
  })
})
