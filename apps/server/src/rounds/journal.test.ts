import { describe, expect, it } from 'vitest'
import type { RoundChange, RoundProgress } from '../storage/records/index.ts'
import { RoundJournal } from './journal.ts'
import { type RoundEvent, reduceRound } from './progress.ts'

const plan = { quorum: 2, clientsPerRound: 3, deadlineSeconds: 0.1 }
const selected: RoundEvent = { type: 'selected', runId: 'run', round: 0, clients: ['a', 'b', 'c'], plan, at: 0 }
const tasked: RoundEvent = { type: 'tasked', at: 0 }
const deliver = (clientId: string, sha256 = clientId): RoundEvent => ({
  type: 'delivered',
  clientId,
  update: { sha256, bytes: 1 },
  at: 1,
})

/** A stored round whose next saves can be made to wait, fail, or lose against another writer. */
function storedRound() {
  const stored: { progress: RoundProgress | undefined } = { progress: undefined }
  const saves: RoundChange[] = []
  const changes: RoundChange[] = []
  let reloads = 0
  let next: (change: RoundChange) => Promise<boolean> | boolean = () => true
  const write = async (change: RoundChange): Promise<boolean> => {
    saves.push(change)
    const outcome = next
    next = () => true
    if (!(await outcome(change))) return false
    stored.progress = change.after
    return true
  }
  const open = () =>
    RoundJournal.open({
      load: async () => stored.progress,
      change: (before, after) => ({ ...(before && { before }), after, spent: [], refunded: [] }),
      save: write,
      onChange: (change) => changes.push(change),
      onReload: async () => {
        reloads += 1
      },
    })
  const onNextSave = (outcome: typeof next): void => {
    next = outcome
  }
  return { stored, saves, changes, open, onNextSave, reloads: () => reloads }
}

describe('the journal of a round', () => {
  it('resolves when the change is durable', async () => {
    const { stored, open, changes } = storedRound()
    const journal = await open()
    const progress = await journal.dispatch(selected, tasked)
    expect(stored.progress).toBe(progress)
    expect(journal.progress).toBe(progress)
    expect(changes).toHaveLength(1)
    expect(progress.phase).toBe('tasked')
  })

  it('stores together what arrives while it stores, and settles each by itself', async () => {
    const { open, saves, onNextSave } = storedRound()
    const journal = await open()
    await journal.dispatch(selected, tasked)
    const saving = new Promise<() => void>((begun) => {
      onNextSave(() => new Promise((resolve) => begun(() => resolve(true))))
    })
    const first = journal.dispatch(deliver('a'))
    const release = await saving
    const others = [deliver('b'), deliver('a', 'other'), deliver('z'), deliver('c')].map((event) =>
      journal.dispatch(event),
    )
    release()
    await first
    const settled = await Promise.allSettled(others)
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
    expect(saves.map(({ after }) => after.version)).toEqual([2, 3, 5]) // three saves for six dispatches
    expect(journal.progress?.phase).toBe('received')
  })

  it('stores nothing where nothing changes', async () => {
    const { open, saves } = storedRound()
    const journal = await open()
    const progress = await journal.dispatch(selected, tasked)
    expect(await journal.dispatch(tasked)).toBe(progress)
    expect(saves).toHaveLength(1)
  })

  it('reads the round again when another writer was faster, and applies the events to that', async () => {
    const { stored, open, onNextSave, reloads } = storedRound()
    const journal = await open()
    await journal.dispatch(selected, tasked)
    onNextSave(() => {
      stored.progress = reduceRound(stored.progress, deliver('b'))
      return false
    })
    const progress = await journal.dispatch(deliver('a'))
    expect(progress.tasks.filter(({ update }) => update).map(({ clientId }) => clientId)).toEqual(['a', 'b'])
    expect(reloads()).toBe(1)
  })

  it.each([
    ['the change had got through', true],
    ['the change was lost', false],
  ])('reads the round again after a fault of the store, when %s', async (_, gotThrough) => {
    const { stored, open, onNextSave } = storedRound()
    const journal = await open()
    await journal.dispatch(selected, tasked)
    onNextSave(({ after }) => {
      if (gotThrough) stored.progress = after
      throw new Error('the connection is gone')
    })
    await expect(journal.dispatch(deliver('a'))).rejects.toThrow('the connection is gone')
    const progress = await journal.dispatch(deliver('a')) // the client's retry
    expect(progress.tasks.find(({ clientId }) => clientId === 'a')?.state).toBe('delivered')
    expect(progress).toEqual(stored.progress)
    expect(progress.version).toBe(3)
  })
})
