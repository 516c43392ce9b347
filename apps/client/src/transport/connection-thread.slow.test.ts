import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { FedsvdError } from '@fedsvd/core/errors'
import { noopHandlers } from '@fedsvd/testing/client/noop-handlers'
import { block, type ProbingCoordinator, probingCoordinator } from '@fedsvd/testing/client/probing-coordinator'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { monotonicMs } from '../platform/index.ts'
import { type ConnectionThreadOptions, connectionThread } from './connection-thread.ts'
import { type CoordinatorLink, CutOff, type LinkHandlers, type Transport } from './transport.ts'

const RUN = '5b7e3f0a-3d51-4f0e-9c39-0d5f0d2f6b11'
/** Until a thread that is asked all the time has answered; only a test that fails waits for it. */
const LONGEST_MS = 20_000

let coordinator: ProbingCoordinator
let links: CoordinatorLink[]

beforeEach(async () => {
  links = []
  coordinator = await probingCoordinator()
})
afterEach(async () => {
  for (const link of links) await link[Symbol.asyncDispose]()
  await coordinator[Symbol.asyncDispose]()
})

/** A client of that transport, connected. */
async function connect(transport: Transport, handlers: Partial<LinkHandlers> = {}): Promise<CoordinatorLink> {
  const connected = coordinator.connected()
  const link = transport.open(
    { clientId: RUN, instance: RUN, ledgerHead: () => undefined, signChallenge: () => 's'.repeat(86) },
    noopHandlers(handlers),
  )
  links.push(link)
  await connected
  return link
}

/** Starts threads as usual, and keeps each of them at hand. */
function watchedThreads() {
  const workers: Worker[] = []
  const start: ConnectionThreadOptions['start'] = (workerData) => {
    const worker = new Worker(new URL('./worker.mjs', import.meta.url), { execArgv: [], workerData })
    workers.push(worker)
    return worker
  }
  return { workers, start }
}

const thread = (options?: ConnectionThreadOptions): Transport => connectionThread(coordinator.url, options)

const invitation = {
  runId: RUN,
  round: 0,
  basis: 0,
  state: { sha256: 'a'.repeat(64), bytes: 10 },
  uploadToken: 'token',
  deadline: '2100-01-01T00:00:00.000Z',
}

describe('a connection in a thread of its own', () => {
  it('answers heartbeats and probes while the process computes', async () => {
    await connect(thread())
    expect(await coordinator.blockUntilAnswered(10, LONGEST_MS)).toBe(true)
  })

  it('keeps answers to probes back at random where answers are kept back', async () => {
    await connect(thread({ holdMs: 500 }))
    const times = [...(await coordinator.watch({ event: 'probe', everyMs: 5, forMs: 1000 }))].sort((a, b) => a - b)
    expect(times.length).toBeGreaterThan(30)
    expect(times[Math.floor(times.length / 2)]).toBeGreaterThan(5) // a tenth of a millisecond, where they are not
  })

  it('gives an answer so long behind its question, however busy the process is', async () => {
    const holdMs = 2000
    await connect(thread({ holdMs }), {
      onInvitation: async () => {
        block(150)
        return { accepted: true }
      },
    })
    const [busy, nonsense] = [
      await coordinator.ask('invite', invitation),
      await coordinator.ask('invite', { no: 'invitation' }),
    ]
    expect(busy).toBeGreaterThanOrEqual(holdMs)
    expect(busy).toBeLessThan(2 * holdMs)
    expect(nonsense).toBeLessThan(holdMs) // a function of the message alone, and answered by the thread
  })

  it('keeps back what follows from a moment, and tells when it was answered', async () => {
    const holdMs = 700
    const link = await connect(thread({ holdMs }))
    const moment = { at: monotonicMs() }
    const begun = moment.at
    expect(await link.report({ runId: RUN, reservations: [] }, undefined, moment)).toEqual({ agrees: true })
    expect(moment.at - begun).toBeGreaterThanOrEqual(holdMs)
    expect(moment.at).toBeLessThanOrEqual(monotonicMs())
  })

  it('stamps questions when they come', async () => {
    const stamps: (number | undefined)[] = []
    await connect(thread(), {
      onInvitation: async (_, at) => {
        stamps.push(at)
        return { accepted: true }
      },
    })
    const answered = coordinator.ask('invite', invitation)
    block(300)
    const free = monotonicMs()
    await answered
    expect(stamps[0]).toBeLessThan(free - 100)
  })

  it('hands errors over as they are: of the catalogue by their code', async () => {
    const seen: Error[] = []
    const refusal = new FedsvdError('RUN_NOT_FOUND', { expected: 'a run', got: 'none', remedy: 'Offer one.' })
    await connect(thread(), {
      onInvitation: () => Promise.reject(refusal),
      onNonsense: (error) => seen.push(error),
      onRoundClosed: () => {
        throw new TypeError('a handler that fails')
      },
    })
    await coordinator.ask('invite', invitation)
    await expect.poll(() => seen.map(({ message }) => message)).toEqual([refusal.message])
    expect(seen[0]).toBeInstanceOf(FedsvdError)
  })

  it('ends a call at once when it is not waited for any more', async () => {
    const link = await connect(thread())
    const abort = new AbortController()
    const call = link.fetchState('a'.repeat(64), 10, abort.signal)
    abort.abort(new Error('the round is closed'))
    await expect(call).rejects.toThrow('the round is closed')
  })

  it('cuts a request off so long behind what ends it, however busy the process is', async () => {
    const holdMs = 2000
    const abort = new AbortController()
    const link = await connect(thread({ holdMs }), {
      onRoundClosed: (_, at) => {
        block(150)
        abort.abort(new CutOff('the round is closed', at))
      },
    })
    const closed = coordinator.closeRound({ runId: RUN, round: 0 })
    const fetched = link.fetchState('a'.repeat(64), 10, abort.signal).catch((error: Error) => error.message)
    const cutAfter = await closed
    expect(await fetched).toBe('the round is closed')
    expect(cutAfter).toBeGreaterThanOrEqual(holdMs)
    expect(cutAfter).toBeLessThan(2 * holdMs)
  })

  it('keeps no more than so many questions for a busy process, and refuses the others', async () => {
    let asked = 0
    await connect(thread({ holdMs: 3000 }), {
      onInvitation: async () => {
        asked += 1
        return { accepted: true }
      },
    })
    const times = 1500
    const flooded = coordinator.flood({ event: 'invite', message: invitation, times, code: 'RATE_LIMITED' })
    block(300)
    const refused = await flooded
    expect(refused).toBeGreaterThan(0)
    expect(asked + refused).toBe(times)
  })

  it('lets leave what was said before it is closed', async () => {
    const link = await connect(thread({ holdMs: 700 }), {
      onInvitation: async () => {
        setImmediate(() => void link[Symbol.asyncDispose]())
        return { accepted: true }
      },
    })
    expect(await coordinator.ask('invite', invitation)).toBeGreaterThanOrEqual(700)
  })

  it('ends its thread though the coordinator does not let go of the connection', async () => {
    const { workers, start } = watchedThreads()
    const link = await connect(thread({ start }))
    const { thawed } = await coordinator.freeze(LONGEST_MS)
    const ended = once(workers[0]!, 'exit').then(() => 'ended')
    await link[Symbol.asyncDispose]()
    expect(await Promise.race([ended, thawed.then(() => 'thawed')])).toBe('ended')
  })

  it('begins again where its thread has ended, and asks again what it was asked', async () => {
    const reasons: string[] = []
    const { workers, start } = watchedThreads()
    const link = await connect(thread({ start, holdMs: 2000 }), { onDisconnected: (reason) => reasons.push(reason) })
    const held = link.report({ runId: RUN, reservations: [] }, undefined, { at: monotonicMs() })
    const connected = coordinator.connected()
    await workers[0]!.terminate()
    await connected
    expect(await held).toEqual({ agrees: true })
    expect(reasons).toEqual([expect.stringContaining('the thread of the connection has ended')])
    expect(workers).toHaveLength(2)
  })

  it('loses nothing that is said while its thread has ended', async () => {
    const { workers, start } = watchedThreads()
    const link = await connect(thread({ start, holdMs: 1000 }))
    const reconnected = coordinator.connected()
    void link.roundFailed({ runId: RUN, round: 0, code: 'SITE_DECLINED' }, { at: monotonicMs() })
    const ended = once(workers[0]!, 'exit')
    await workers[0]!.terminate()
    await ended
    const reported = link.report({ runId: RUN, reservations: [] })
    await reconnected
    expect(await coordinator.failed()).toEqual({ failed: { runId: RUN, round: 0, code: 'SITE_DECLINED' } })
    expect(await reported).toEqual({ agrees: true })
  })

  it('tells where its thread cannot begin', async () => {
    const start = () => new Worker('throw new Error("no thread here")', { eval: true, execArgv: [] })
    const refused = new Promise<Error>((resolve) => {
      const link = thread({ start }).open(
        { clientId: RUN, instance: RUN, ledgerHead: () => undefined, signChallenge: () => '' },
        { onRefused: resolve } as LinkHandlers,
      )
      links.push(link)
    })
    expect((await refused).message).toContain('no thread here')
  })
})
