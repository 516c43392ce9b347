import { FedsvdError } from '@fedsvd/core/errors'
import { describe, expect, it } from 'vitest'
import type { Clock } from '../platform/index.ts'
import { Channel, type Envelope } from './channel.ts'

/** Time passes as soon as nothing else is to be done. */
const clock: Clock = {
  now: () => 0,
  at(_time, callback) {
    const immediate = setImmediate(callback)
    return () => clearImmediate(immediate)
  },
}
/** Time stands still: nothing is sent again, nothing is forgotten. */
const frozen: Clock = { now: () => 0, at: () => () => {} }

type Fate = 'lost' | 'twice' | 'once'

/** Two channels on a network that does to each message what it is told. */
function network(fateOf: (envelope: Envelope, count: number) => Fate, on: Clock = clock) {
  const calls: unknown[] = []
  const told: unknown[] = []
  let count = 0
  const channels = new Map<string, Channel>()
  const open = (id: string): Channel => {
    const channel = new Channel({
      id,
      clock: on,
      send(envelope) {
        const fate = fateOf(envelope, count)
        count += 1
        for (let copy = 0; copy < { lost: 0, once: 1, twice: 2 }[fate]; copy += 1) {
          for (const [name, other] of channels) if (name !== id) queueMicrotask(() => other.receive(envelope))
        }
      },
      onTell: (name, body, from) => told.push([name, body, from]),
      onCall: async (name, body, from) => {
        calls.push([name, body, from])
        if (name === 'refuse') throw new FedsvdError('UPDATE_STALE', { expected: 'a', got: 'b', remedy: 'c' })
        if (name === 'break') throw new Error('the password is 1234')
        return `${String(body)} done`
      },
    })
    channels.set(id, channel)
    return channel
  }
  return { one: open('one'), two: open('two'), calls, told }
}

const never = new AbortController().signal

describe('the channel between coordinators', () => {
  it('brings a call to the one that is meant, and its answer back', async () => {
    const { one, calls } = network(() => 'once')
    expect(await one.call('two', 'deliver', 'update', never)).toBe('update done')
    expect(calls).toEqual([['deliver', 'update', 'one']])
  })

  it.each([1, 2, 5])('sends a call again when %i messages are lost, and makes it once', async (lost) => {
    const { one, calls } = network((_, count) => (count < lost ? 'lost' : 'once'))
    expect(await one.call('two', 'deliver', 'update', never)).toBe('update done')
    expect(calls).toHaveLength(1)
  })

  it('makes a call once when its answer is lost', async () => {
    let answers = 0
    const { one, calls } = network(({ kind }) => {
      if (kind === 'answer') answers += 1
      return kind === 'answer' && answers === 1 ? 'lost' : 'once'
    }, clockThatForgetsNothing())
    expect(await one.call('two', 'deliver', 'update', never)).toBe('update done')
    expect(answers).toBeGreaterThan(1)
    expect(calls).toHaveLength(1)
  })

  it('makes a call once when everything arrives twice', async () => {
    const { one, calls } = network(() => 'twice', frozen)
    expect(await one.call('two', 'deliver', 'update', never)).toBe('update done')
    expect(calls).toHaveLength(1)
  })

  it('tells refusals of the catalogue as they are, and nothing of the inside of other faults', async () => {
    const { one } = network(() => 'once')
    await expect(one.call('two', 'refuse', 0, never)).rejects.toMatchObject({ code: 'UPDATE_STALE' })
    const fault = await one.call('two', 'break', 0, never).catch((error: Error) => error)
    expect(fault).toMatchObject({ code: 'UNEXPECTED' })
    expect(String(fault)).not.toMatch(/1234/)
  })

  it('gives up when it is told to', async () => {
    const { one } = network(() => 'lost')
    const controller = new AbortController()
    const call = one.call('two', 'deliver', 'update', controller.signal)
    controller.abort()
    await expect(call).rejects.toMatchObject({ code: 'COORDINATOR_UNREACHABLE' })
    await expect(one.call('two', 'deliver', 'update', controller.signal)).rejects.toMatchObject({
      code: 'COORDINATOR_UNREACHABLE',
    })
  })

  it('tells all others', async () => {
    const { one, told } = network(() => 'once')
    one.tell('changed', 'run')
    await new Promise((resolve) => setImmediate(resolve))
    expect(told).toEqual([['changed', 'run', 'one']])
  })
})

/** Repeats are due at once; answers are kept for longer than that. */
function clockThatForgetsNothing(): Clock {
  return { now: () => 0, at: (time, callback) => (time > 30_000 ? () => {} : clock.at(time, callback)) }
}
