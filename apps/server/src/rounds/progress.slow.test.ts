import { isFedsvdError } from '@fedsvd/core/errors'
import type { RoundState } from '@fedsvd/core/protocol'
import { describe, expect, it } from 'vitest'
import type { RoundProgress } from '../storage/records/index.ts'
import { checkAdmissible, deliveredTasks, openTasks, type RoundEvent, reduceRound as reduce } from './progress.ts'

const PHASES: readonly RoundState[] = ['selected', 'tasked', 'received', 'aggregated', 'published']
const plan = { quorum: 2, clientsPerRound: 3, deadlineSeconds: 0.1 }
const blob = (sha256: string) => ({ sha256, bytes: 9 })
const selected: RoundEvent = { type: 'selected', runId: 'run', round: 4, clients: ['c', 'a', 'b'], plan, at: 1000 }
const play = (...events: readonly RoundEvent[]): RoundProgress =>
  events.reduce<RoundProgress | undefined>(reduce, undefined)!
const deliver = (clientId: string, sha256 = `of ${clientId}`): RoundEvent => ({
  type: 'delivered',
  clientId,
  update: blob(sha256),
  at: 1050,
})
const refuse = (clientId: string): RoundEvent => ({ type: 'refused', clientId, at: 1040 })
const tasked: RoundEvent = { type: 'tasked', at: 1010 }
const deadline = (at: number): RoundEvent => ({ type: 'deadline', at })
const codeOf = (attempt: () => unknown): string | undefined => {
  try {
    attempt()
    return undefined
  } catch (error) {
    if (isFedsvdError(error)) return error.code
    throw error
  }
}

describe('the round as a reducer', () => {
  it('goes from selection to publication', () => {
    const progress = play(
      selected,
      tasked,
      deliver('a'),
      deliver('b'),
      deliver('c'),
      { type: 'aggregated', result: { ...blob('next'), basis: 5 } },
      { type: 'published', at: 1100 },
    )
    expect(progress).toEqual({
      runId: 'run',
      round: 4,
      phase: 'published',
      plan,
      version: 7,
      openedAt: 1000,
      deadline: 1110,
      extensions: 0,
      closedAt: 1050,
      publishedAt: 1100,
      tasks: ['a', 'b', 'c'].map((clientId) => ({
        clientId,
        state: 'delivered',
        update: { sha256: `of ${clientId}`, bytes: 9, receivedAt: 1050 },
      })),
      result: { sha256: 'next', bytes: 9, basis: 5 },
    })
  })

  it('keeps a selection that is there', () => {
    const progress = play(selected)
    expect(reduce(progress, { ...selected, clients: ['z'] })).toBe(progress)
  })

  it('waits for everyone asked, and closes at once when the last has delivered or refused', () => {
    expect(play(selected, tasked, deliver('a'), deliver('b')).phase).toBe('tasked')
    expect(play(selected, tasked, deliver('a'), deliver('b'), refuse('c')).phase).toBe('received')
    expect(play(selected, tasked, refuse('c'), deliver('b'), deliver('a')).phase).toBe('received')
    expect(play(selected, tasked, refuse('c'), refuse('b'), deliver('a')).phase).toBe('tasked') // 1 of 2
  })

  it('closes at the deadline with a quorum, and is extended without one', () => {
    const two = [selected, tasked, deliver('a'), deliver('b')]
    expect(play(...two, deadline(1109)).phase).toBe('tasked')
    expect(play(...two, deadline(1110))).toMatchObject({ phase: 'received', closedAt: 1110 })
    const one = play(selected, tasked, deliver('a'), deadline(1110))
    expect(one).toMatchObject({ phase: 'tasked', extensions: 1, deadline: 1310 })
    expect(reduce(one, deadline(1150))).toBe(one)
  })

  it('is never due later than its term says, whatever the clock was when that was stored', () => {
    const ahead = { ...play(selected, tasked, deliver('a')), deadline: 1010 + 7_200_000 }
    const judged = reduce(ahead, deadline(2000))
    expect(judged).toMatchObject({ phase: 'tasked', deadline: 2100, extensions: 0 })
    expect(reduce(judged, deadline(2050))).toBe(judged)
  })

  it('is extended by twice as long each time, and never by next to nothing', () => {
    const short = { ...plan, deadlineSeconds: 1e-9 }
    let progress = play({ ...selected, plan: short } as RoundEvent, tasked)
    while (progress.deadline < 8000) progress = reduce(progress, deadline(progress.deadline))
    expect(progress.extensions).toBeLessThan(8)
    const long = { ...plan, deadlineSeconds: 3600 }
    const first = play({ ...selected, plan: long } as RoundEvent, tasked)
    const second = reduce(first, deadline(first.deadline))
    expect(second.deadline - first.deadline).toBe(3_600_000)
  })

  it('gives a paused run a whole term when it is resumed, and keeps everything else', () => {
    const progress = play(selected, tasked, deliver('a'))
    expect(reduce(progress, { type: 'resumed', at: 5000 })).toEqual({ ...progress, version: 4, deadline: 5100 })
    const closed = play(selected, tasked, deliver('a'), deliver('b'), deadline(1110))
    expect(reduce(closed, { type: 'resumed', at: 5000 })).toBe(closed)
  })

  it('goes by the plan that it was selected with', () => {
    const strict = { ...selected, plan: { ...plan, quorum: 3, deadlineSeconds: 1 } }
    expect(play(strict, tasked)).toMatchObject({ plan: strict.plan, deadline: 2010 })
    expect(play(strict, tasked, deliver('a'), deliver('b'), deadline(2010))).toMatchObject({ phase: 'tasked' })
  })

  it('closes as soon as clientsPerRound have delivered, however many were asked', () => {
    const asked = { ...selected, clients: ['a', 'b', 'c', 'd', 'e'] }
    const closed = play(asked, tasked, deliver('e'), deliver('b'), deliver('a'))
    expect(closed).toMatchObject({ phase: 'received', closedAt: 1050 })
    expect(openTasks(closed).map(({ clientId }) => clientId)).toEqual(['c', 'd'])
    // charged all the same: see privacy-change.ts
    expect(codeOf(() => reduce(closed, deliver('c')))).toBe('UPDATE_STALE')
    expect(checkAdmissible(closed, 'c', true)).toMatchObject({ clientId: 'c', state: 'tasked' })
  })

  const late = (clientId: string, round = 2, sha256 = `late of ${clientId}`): RoundEvent => {
    return { type: 'late', clientId, round, update: blob(sha256), at: 1045 }
  }

  it('counts a late update beside its own, but not towards the quorum', () => {
    const progress = play(selected, late('z'), tasked, late('y', 3))
    expect(progress.late).toEqual([
      { clientId: 'y', round: 3, ...blob('late of y'), receivedAt: 1045 },
      { clientId: 'z', round: 2, ...blob('late of z'), receivedAt: 1045 },
    ])
    expect(reduce(progress, late('z'))).toBe(progress)
    expect(reduce(progress, deadline(1110))).toMatchObject({ phase: 'tasked', extensions: 1 })
    expect(deliveredTasks(progress)).toEqual([])
  })

  it('takes one update of each client: no late one of a client asked in this round, and one whose late update counts is not asked', () => {
    const progress = play(selected, tasked, late('z'))
    expect(codeOf(() => reduce(progress, late('a')))).toBe('UPDATE_STALE')
    expect(codeOf(() => reduce(progress, late('z', 1)))).toBe('RUN_NOT_OPEN')
    expect(codeOf(() => reduce(progress, late('z', 2, 'other bytes')))).toBe('RUN_NOT_OPEN')
    expect(reduce(progress, { type: 'enlisted', clients: ['z'] })).toBe(progress)
    const refused = play(selected, tasked, refuse('a'), late('a'))
    expect(refused.late).toHaveLength(1)
    expect(reduce(refused, { type: 'enlisted', clients: ['a'] })).toBe(refused)
  })

  it('sends a late update on to the next round when it has closed, and knows one that it has taken', () => {
    const closed = play(selected, tasked, late('z'), deliver('a'), deliver('b'), deadline(1110))
    expect(codeOf(() => reduce(closed, late('y')))).toBe('RUN_NOT_OPEN')
    expect(reduce(closed, late('z'))).toBe(closed)
  })

  it('closes a buffer when it is full, late updates included, while others still train', () => {
    const buffered = { ...selected, plan: { ...plan, bufferSize: 2 } }
    expect(play(buffered, tasked, deliver('a'), deliver('b'))).toMatchObject({ phase: 'received' })
    expect(play(buffered, tasked, deliver('a'), late('z'))).toMatchObject({ phase: 'received', closedAt: 1045 })
    expect(play(buffered, late('y'), late('z')).phase).toBe('selected')
    expect(play(buffered, late('y'), late('z'), tasked)).toMatchObject({ phase: 'received' })
    const sparse = { ...selected, clients: [], plan: { ...plan, bufferSize: 3 } }
    expect(play(sparse, tasked, late('y'), late('z')).phase).toBe('tasked')
    expect(play(sparse, tasked, late('y'), late('z'), deadline(1110)).phase).toBe('received') // the quorum is 2
    expect(play(sparse, tasked, late('y'), deadline(1110))).toMatchObject({ phase: 'tasked', extensions: 1 })
  })

  it('takes replacements, and asks again who has refused', () => {
    const progress = play(selected, tasked, refuse('a'), deliver('b'), {
      type: 'enlisted',
      clients: ['d', 'a', 'b', 'c'],
    })
    expect(progress.tasks.map(({ clientId, state }) => `${clientId} ${state}`)).toEqual([
      'a tasked',
      'b delivered',
      'c tasked',
      'd tasked',
    ])
  })

  it('takes the same update again as the same, and another one as a conflict', () => {
    const progress = play(selected, tasked, deliver('a'))
    expect(reduce(progress, deliver('a'))).toBe(progress)
    expect(codeOf(() => reduce(progress, deliver('a', 'other')))).toBe('UPDATE_CONFLICT')
    const closed = play(selected, tasked, deliver('a'), deliver('b'), deadline(1110))
    expect(reduce(closed, deliver('a'))).toBe(closed)
    expect(codeOf(() => reduce(closed, deliver('a', 'other')))).toBe('UPDATE_CONFLICT')
  })

  it.each<[string, string, RoundProgress]>([
    ['a client that was not invited', 'z', play(selected, tasked)],
    ['a client that has refused', 'a', play(selected, tasked, refuse('a'))],
    ['a client that was only selected', 'a', play(selected)],
  ])('does not expect an update from %s', (_, clientId, progress) => {
    expect(codeOf(() => reduce(progress, deliver(clientId)))).toBe('UPDATE_UNEXPECTED')
    expect(codeOf(() => checkAdmissible(progress, clientId))).toBe('UPDATE_UNEXPECTED')
  })

  it('refuses an update that comes too late', () => {
    const closed = play(selected, tasked, deliver('a'), deliver('b'), deadline(1110))
    expect(codeOf(() => reduce(closed, deliver('c')))).toBe('UPDATE_STALE')
    expect(codeOf(() => checkAdmissible(undefined, 'c'))).toBe('UPDATE_UNEXPECTED')
  })

  it('ignores a refusal after delivery', () => {
    const progress = play(selected, tasked, deliver('a'))
    expect(reduce(progress, refuse('a'))).toBe(progress)
  })

  it('refuses a second result, and events of a round that is not open', () => {
    const aggregated = play(selected, tasked, deliver('a'), deliver('b'), deliver('c'), {
      type: 'aggregated',
      result: { ...blob('next'), basis: 5 },
    })
    expect(codeOf(() => reduce(aggregated, { type: 'aggregated', result: { ...blob('other'), basis: 5 } }))).toBe(
      'RUN_STATE',
    )
    expect(codeOf(() => reduce(undefined, tasked))).toBe('RUN_STATE')
    expect(codeOf(() => reduce(play(selected), { type: 'published', at: 1 }))).toBe('RUN_STATE')
  })

  it('keeps its promises in every state that any sequence of events can reach', () => {
    const ids = ['a', 'b', 'c']
    const alphabet: RoundEvent[] = [
      tasked,
      deadline(1110),
      deadline(1310),
      { type: 'late', clientId: 'z', round: 2, update: blob('z'), at: 1045 },
      ...ids.flatMap((id) => [deliver(id), deliver(id, 'other'), refuse(id)]),
      { type: 'enlisted', clients: ['a'] },
      { type: 'enlisted', clients: ['d'] },
      { type: 'aggregated', result: { ...blob('next'), basis: 5 } },
      { type: 'published', at: 1300 },
    ]
    const keyOf = (progress: RoundProgress) => JSON.stringify({ ...progress, version: 0 })
    const start = play(selected)
    const seen = new Map([[keyOf(start), start]])
    let transitions = 0
    for (const progress of seen.values()) {
      for (const event of alphabet) {
        let next: RoundProgress
        try {
          next = reduce(progress, event)
        } catch (error) {
          if (!isFedsvdError(error)) throw error
          continue
        }
        transitions += 1
        checkStep(progress, next)
        if (next === progress) continue
        if (event.type !== 'deadline') expect(keyOf(reduce(next, event))).toBe(keyOf(next)) // again changes nothing
        if (next.extensions <= 1) seen.set(keyOf(next), seen.get(keyOf(next)) ?? next)
      }
    }
    expect(seen.size).toBeGreaterThan(500)
    expect(transitions).toBeGreaterThan(5000)
    expect(new Set(Array.from(seen.values(), ({ phase }) => phase))).toEqual(new Set(PHASES))
  })
})

function checkStep(before: RoundProgress, after: RoundProgress): void {
  expect(PHASES.indexOf(after.phase)).toBeGreaterThanOrEqual(PHASES.indexOf(before.phase))
  expect(after.version).toBe(after === before ? before.version : before.version + 1)
  expect(after.tasks.map(({ clientId }) => clientId)).toEqual(after.tasks.map(({ clientId }) => clientId).toSorted())
  for (const { clientId, update } of deliveredTasks(before)) {
    expect(after.tasks.find((task) => task.clientId === clientId)?.update).toEqual(update) // accepted stays accepted
  }
  if (after.phase !== 'selected' && after.phase !== 'tasked') {
    expect(deliveredTasks(after).length).toBeGreaterThanOrEqual(plan.quorum)
    expect(after.closedAt).toBeDefined()
  }
  if (before.phase !== 'selected' && before.phase !== 'tasked')
    expect(deliveredTasks(after)).toEqual(deliveredTasks(before))
  const givers = [...deliveredTasks(after), ...(after.late ?? [])].map(({ clientId }) => clientId)
  expect(new Set(givers).size).toBe(givers.length) // one update of each client
  expect(after.late ?? []).toEqual(expect.arrayContaining([...(before.late ?? [])]))
  if (before.phase !== 'selected' && before.phase !== 'tasked') expect(after.late).toEqual(before.late)
  if (after.phase === 'tasked' && openTasks(after).length === 0) {
    expect(deliveredTasks(after).length).toBeLessThan(plan.quorum)
  }
}
