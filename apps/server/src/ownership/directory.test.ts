import { describe, expect, it } from 'vitest'
import { Directory } from './directory.ts'

const at = (clientId: string, connectionId: string, coordinatorId = 'two') => ({
  clientId,
  connectionId,
  coordinatorId,
})

function directory() {
  const arrivals: { readonly clientId: string; readonly connection: AbortSignal }[] = []
  return { arrivals, of: new Directory((clientId, connection) => arrivals.push({ clientId, connection })) }
}

describe('the directory of clients elsewhere', () => {
  it('hears of each connection once, whether from a message, the database, or both', () => {
    const { arrivals, of } = directory()
    of.arrived(at('a', '1'))
    of.arrived(at('a', '1'))
    of.replace([at('a', '1'), at('b', '2')])
    expect(arrivals.map(({ clientId }) => clientId)).toEqual(['a', 'b'])
    expect(of.find('b')!.connection).toEqual(at('b', '2'))
  })

  it('ends a connection when it is replaced, when it has left, and when the database no longer lists it', () => {
    const { arrivals, of } = directory()
    of.arrived(at('a', '1'))
    of.arrived(at('a', '2', 'three'))
    expect(arrivals.map(({ connection }) => connection.aborted)).toEqual([true, false])
    of.left('a', '1') // late news of the first one
    expect(of.has('a')).toBe(true)
    of.left('a', '2')
    expect(of.has('a')).toBe(false)
    expect(arrivals[1]!.connection.aborted).toBe(true)
    of.arrived(at('b', '3'))
    of.replace([])
    expect(of.has('b')).toBe(false)
    expect(arrivals[2]!.connection.aborted).toBe(true)
  })
})
