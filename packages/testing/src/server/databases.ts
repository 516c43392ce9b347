import { randomUUID } from 'node:crypto'
import pg from 'pg'

const ADMIN_URL = process.env.FEDSVD_TEST_POSTGRES ?? 'postgresql://postgres@127.0.0.1:5432/postgres'

/** True when a PostgreSQL server for tests answers; its cases are skipped otherwise. */
export async function postgresAnswers(): Promise<boolean> {
  const client = new pg.Client({ connectionString: ADMIN_URL, connectionTimeoutMillis: 2000 })
  try {
    await client.connect()
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => {})
  }
}

/** A database of its own, dropped when disposed. */
export async function freshDatabase(): Promise<{ readonly url: string } & AsyncDisposable> {
  const name = `fedsvd_test_${randomUUID().replaceAll('-', '')}`
  await asAdmin(`CREATE DATABASE "${name}"`)
  const url = new URL(ADMIN_URL)
  url.pathname = `/${name}`
  return { url: url.href, [Symbol.asyncDispose]: () => asAdmin(`DROP DATABASE "${name}" WITH (FORCE)`) }
}

async function asAdmin(sql: string): Promise<void> {
  const client = new pg.Client(ADMIN_URL)
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
