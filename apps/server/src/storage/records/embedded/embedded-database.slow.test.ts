import { cp, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { placeEmbeddedDatabase, temporaryFolder } from '@fedsvd/testing/server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openEmbeddedStore } from './embedded-database.ts'

const CLIENT = { id: 'c1a7e5f0-0000-4000-8000-000000000001', name: 'north', publicKey: 'key', enrolledAt: 0 }

async function open(folder: string) {
  return await openEmbeddedStore(folder, (error) => {
    throw error
  })
}

/** A database in which one client is enrolled; making one takes seconds, so each case has a copy. */
let original: Awaited<ReturnType<typeof temporaryFolder>>

beforeAll(async () => {
  original = await temporaryFolder()
  await placeEmbeddedDatabase(original.path)
  await using store = await open(path.join(original.path, 'database'))
  await store.clients.addTokens([{ hash: 'token', createdAt: 0, expiresAt: 10 }])
  await store.clients.enrol('token', CLIENT)
})
afterAll(() => original[Symbol.asyncDispose]())

/** As an earlier release left it where `marked` is false. */
async function withClient(stateDir: string, { marked = true } = {}): Promise<string> {
  const folder = path.join(stateDir, 'database')
  await cp(path.join(original.path, 'database'), folder, { recursive: true })
  if (!marked) await rm(path.join(folder, 'made'), { force: true })
  return folder
}

async function listing(folder: string): Promise<readonly string[]> {
  return (await readdir(folder, { recursive: true })).filter((name) => name !== 'lock').sort()
}

describe('the folder of an embedded database', () => {
  const damage: Record<string, (data: string) => Promise<void>> = {
    'PG_VERSION is missing': (data) => rm(path.join(data, 'PG_VERSION')),
    'PG_VERSION is empty': (data) => truncate(path.join(data, 'PG_VERSION')),
    'the control file is missing': (data) => rm(path.join(data, 'global/pg_control')),
    'the write-ahead log is missing': (data) => rm(path.join(data, 'pg_wal'), { recursive: true }),
    'a folder was copied by half': async (data) => {
      const half = (await readdir(data)).slice(0, 3)
      for (const name of await readdir(data)) {
        if (!half.includes(name)) await rm(path.join(data, name), { recursive: true })
      }
    },
    'it is another folder': async (data) => {
      await rm(data, { recursive: true })
      await mkdir(data)
      await writeFile(path.join(data, 'notes.txt'), 'not a database')
    },
    'it is a file': async (data) => {
      await rm(data, { recursive: true })
      await writeFile(data, 'not a database')
    },
  }
  it.each(Object.entries(damage))('is refused as it is when %s', async (_, harm) => {
    await using state = await temporaryFolder()
    const folder = await withClient(state.path, { marked: false })
    await harm(path.join(folder, 'data'))
    const before = await listing(folder)
    await expect(open(folder)).rejects.toMatchObject({ code: 'DATABASE_DAMAGED' })
    expect(await listing(folder)).toEqual(before)
  })

  it('is refused when the file of a table is missing', async () => {
    await using state = await temporaryFolder()
    const folder = await withClient(state.path)
    const before = await listing(path.join(folder, 'data/base/5'))
    await rm(path.join(folder, 'data/base/5', before.filter((name) => /^\d{5}$/.test(name)).at(-1)!))
    await expect(open(folder)).rejects.toMatchObject({ code: 'DATABASE_DAMAGED' })
  })

  it('is not made anew where there was one', async () => {
    await using state = await temporaryFolder()
    const folder = await withClient(state.path)
    await rm(path.join(folder, 'data'), { recursive: true })
    await expect(open(folder)).rejects.toMatchObject({ code: 'DATABASE_DAMAGED' })
    await mkdir(path.join(folder, 'data'))
    await expect(open(folder)).rejects.toMatchObject({ code: 'DATABASE_DAMAGED' })
  })

  it('of an earlier release is opened', async () => {
    await using state = await temporaryFolder()
    const folder = await withClient(state.path, { marked: false })
    await using store = await open(folder)
    expect(await store.clients.find(CLIENT.id)).toMatchObject({ name: 'north' })
    expect(await readFile(path.join(folder, 'made'), 'utf8')).toBe('whole\n')
  })

  it('in which the making was cut short is begun anew', async () => {
    await using state = await temporaryFolder()
    const folder = path.join(state.path, 'database')
    await mkdir(path.join(folder, 'data/base'), { recursive: true })
    await writeFile(path.join(folder, 'made'), 'unfinished\n')
    await using store = await open(folder)
    expect(await store.clients.list()).toEqual([])
  })

  it('belongs to one process, also after its lock file was removed', async () => {
    await using state = await temporaryFolder()
    const folder = await withClient(state.path)
    await using store = await open(folder)
    await expect(open(folder)).rejects.toMatchObject({ code: 'DATABASE_LOCKED' })
    await rm(path.join(folder, 'lock'))
    await expect(open(folder)).rejects.toMatchObject({ code: 'DATABASE_LOCKED' })
    expect(await store.clients.list()).toHaveLength(1)
  })
})
