import path from 'node:path'
import { startCoordinator } from '@fedsvd/server'
import type { Store } from '@fedsvd/server/storage/records'
import { openEmbeddedStore } from '@fedsvd/server/storage/records/embedded'
import { openPostgresStore } from '@fedsvd/server/storage/records/postgres'
import type { Death } from './killable-store.ts'
import { tinyModels } from './tiny-model.ts'

/** The store, whose n-th call is the last thing that this process ever does. */
function deadly<T extends object>(target: T, { atCall, when }: Death): T {
  let calls = 0
  const call = async (method: () => unknown): Promise<unknown> => {
    calls += 1
    const isLast = calls === atCall
    if (isLast && when === 'before') process.kill(process.pid, 'SIGKILL')
    const result = await method()
    if (isLast) process.kill(process.pid, 'SIGKILL')
    return result
  }
  const wrap = <O extends object>(object: O): O =>
    new Proxy(object, {
      get: (inner, name, receiver) => {
        const value: unknown = Reflect.get(inner, name, receiver)
        // The fenced store is the same one, without a call to the database.
        if (name === 'fencedBy')
          return (...args: unknown[]) => wrap((value as (...given: unknown[]) => object)(...args))
        if (typeof value === 'function') return (...args: unknown[]) => call(() => value.apply(inner, args))
        return typeof value === 'object' && value !== null ? wrap(value) : value
      },
    })
  return wrap(target)
}

/**
 * Runs a coordinator with the settings of the first argument, and the tiny model beside the real ones. With a second
 * one, a {@link Death}, it kills itself.
 */
const [, , settings, death] = process.argv
const openStore = async ({ databaseUrl, stateDir }: { databaseUrl?: string | undefined; stateDir: string }) => {
  const folder = path.join(stateDir, 'database')
  const store = databaseUrl ? await openPostgresStore(databaseUrl) : await openEmbeddedStore(folder, () => {})
  return deadly<Store>(store, JSON.parse(death!) as Death)
}
const coordinator = await startCoordinator(JSON.parse(settings!), { models: tinyModels, ...(death && { openStore }) })
process.once('SIGTERM', () => void coordinator[Symbol.asyncDispose]())
const { url, operatorToken } = coordinator
process.stdout.write(`${JSON.stringify({ url, operatorToken })}\n`)
