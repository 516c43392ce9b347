import { type ErrorDetail, FedsvdError } from '@fedsvd/core/errors'

/**
 * Codes of Prisma (P...), PostgreSQL (class 08, 53, 57P; 25P03, a transaction that was cut) and the system that mean:
 * no answer, try again later.
 */
const UNAVAILABLE =
  /^(P1001|P1002|P1008|P1017|P2024|P2028|P2034|08...|25P03|53...|57P..|ECONN\w+|EPIPE|ENOENT|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)$/

/** An error of the database as one of the catalogue where waiting may help; anything else unchanged. */
export function translateDatabaseError(error: unknown): unknown {
  if (error instanceof FedsvdError || !(error instanceof Error)) return error
  const codes = chainOf(error).map(({ code }) => code)
  const isAway =
    codes.some((code) => typeof code === 'string' && UNAVAILABLE.test(code)) ||
    /connection (was )?(terminated|closed)|timeout exceeded when trying to connect/i.test(error.message)
  const refused = refusalOf(codes, error.message)
  if (refused !== undefined) return new FedsvdError('CONFIG_INVALID', refused, { cause: error })
  if (!isAway) return error
  return new FedsvdError(
    'DATABASE_UNAVAILABLE',
    {
      expected: 'the database to answer',
      got: firstLine(error.message),
      remedy: codes.includes('ENOTFOUND')
        ? 'Correct the host in DATABASE_URL; in a password, @ is written %40, / %2F and : %3A.'
        : 'Check that it runs and that DATABASE_URL is right.',
    },
    { cause: error },
  )
}

/** What of DATABASE_URL or of the database is wrong, where waiting does not mend it; codes of PostgreSQL and Prisma. */
function refusalOf(codes: readonly unknown[], message: string): ErrorDetail | undefined {
  const has = (...wanted: readonly string[]) => wanted.some((code) => codes.includes(code))
  const got = firstLine(message)
  if (/no encryption|SSL off|requires SSL|SSL connection is required/i.test(message)) {
    return { expected: 'a connection that the database admits', got, remedy: 'Add sslmode=require to DATABASE_URL.' }
  }
  if (/does not support SSL/i.test(message)) {
    return { expected: 'a database with TLS', got, remedy: 'Set up TLS there, or leave sslmode out of DATABASE_URL.' }
  }
  if (/SASL.*password must be a string/i.test(message)) {
    const remedy = 'Write it into DATABASE_URL: postgresql://user:password@host/database.'
    return { expected: 'a password, which the database asks for', got: 'none in DATABASE_URL', remedy }
  }
  if (has('28000', '28P01', 'P1000')) {
    const remedy = 'Correct user and password in DATABASE_URL, or let that user in (pg_hba.conf).'
    return { expected: 'a user and a password that the database knows', got, remedy }
  }
  if (has('3D000', 'P1003')) {
    return { expected: 'a database that exists', got, remedy: 'Make it with createdb, or correct DATABASE_URL.' }
  }
  if (has('42501', 'P1010')) {
    const remedy = 'Let that user make tables: GRANT CREATE, USAGE ON SCHEMA public TO the user, or make it the owner.'
    return { expected: 'the rights to make and use tables', got, remedy }
  }
  return undefined
}

/** The error and what it was caused by; adapters wrap the driver's own error. */
function chainOf(error: Error): { code?: unknown }[] {
  const chain: { code?: unknown }[] = []
  let next: unknown = error
  while (next !== null && typeof next === 'object' && chain.length < 8) {
    chain.push(next as { code?: unknown })
    const { cause, meta } = next as { cause?: unknown; meta?: { driverAdapterError?: unknown } }
    next = cause ?? meta?.driverAdapterError
    const { originalCode } = (next ?? {}) as { originalCode?: unknown }
    if (originalCode !== undefined) chain.push({ code: originalCode })
  }
  return chain
}

function firstLine(text: string): string {
  const lines = text.split('\n').map((line) => line.trim())
  return (
    lines
      .filter((line) => line !== '')
      .at(-1)
      ?.slice(0, 300) ?? 'no answer'
  )
}

/** The same object with every method's database errors translated. */
export function translating<T extends object>(methods: T): T {
  const entries = Object.entries(methods).map(([name, method]) => [
    name,
    typeof method !== 'function'
      ? method
      : async (...args: unknown[]) => {
          try {
            return await (method as (...args: unknown[]) => Promise<unknown>)(...args)
          } catch (error) {
            throw translateDatabaseError(error)
          }
        },
  ])
  return Object.fromEntries(entries) as T
}
