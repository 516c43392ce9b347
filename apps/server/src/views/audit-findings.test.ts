import { describe, expect, it } from 'vitest'
import { createMemoryStore } from '../storage/records/memory/index.ts'
import { findAudit } from './audit-findings.ts'

const ADA = '00000000-0000-4000-8000-000000000001'
const NORTH = 'adaadaad-0000-4000-8000-000000000002' // hexadecimal digits that spell a name

async function aLog() {
  const store = createMemoryStore()
  await store.operators.create({ id: ADA, name: 'Ada', role: 'admin', secretHash: 'x', createdAt: 0 })
  await store.clients.addTokens([{ hash: 't', createdAt: 0, expiresAt: 1e15 }])
  await store.clients.enrol('t', { id: NORTH, name: 'north clinic', publicKey: 'key', enrolledAt: 0 })
  const entry = (actor: string, action: string, object: string, at: number) =>
    store.audit.append({ at, actor, action, object, detail: {} })
  await entry(`client:${NORTH}`, 'client.enrol', `client:${NORTH}`, 1000)
  await entry(`operator:${ADA}`, 'session.begin', `operator:${ADA}`, 2000)
  await entry(`operator:${ADA}`, 'client.budget', `client:${NORTH}`, 3000)
  await entry('operator-token', 'client.revoke', `client:${NORTH}`, 4000)
  return store
}

describe('the audit log is searched', () => {
  it.each([
    ['everything, newest first', {}, [4, 3, 2, 1]],
    ['a person by name, and no digits that spell it', { actor: 'ada' }, [3, 2]],
    ['a person by the beginning of the identifier', { actor: ADA.slice(0, 8) }, [3, 2]],
    ['an actor without a name', { actor: 'token' }, [4]],
    ['the actor and the object', { actor: 'Ada', object: 'north' }, [3]],
    ['an object by its whole key', { object: `client:${NORTH}` }, [4, 3, 1]],
    ['part of an action', { action: 'client.' }, [4, 3, 1]],
    ['times, the ends included', { from: 2000, to: 3000 }, [3, 2]],
    ['nobody of that name', { actor: 'eve' }, []],
  ])('by %s', async (_, question, numbers) => {
    const { entries } = await findAudit(await aLog(), { limit: 10, ...question })
    expect(entries.map(({ seq }) => seq)).toEqual(numbers)
  })

  it('page by page, with the names of those that it speaks of', async () => {
    const store = await aLog()
    const first = await findAudit(store, { limit: 2, object: 'north' })
    expect(first).toMatchObject({ next: 3, names: { [`operator:${ADA}`]: 'Ada', [`client:${NORTH}`]: 'north clinic' } })
    const second = await findAudit(store, { limit: 2, object: 'north', before: first.next! })
    expect(second.entries.map(({ seq }) => seq)).toEqual([1])
    expect(second).not.toHaveProperty('next')
  })
})
