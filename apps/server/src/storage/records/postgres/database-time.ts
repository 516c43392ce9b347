import { Prisma } from './generated/client.ts'

/** The database's time so many milliseconds from now. */
export const after = (milliseconds: number): Prisma.Sql =>
  Prisma.sql`(clock_timestamp() + ${milliseconds}::float8 * interval '1 millisecond')`

/** True of a row that has not expired. */
export const ALIVE = Prisma.sql`"expiresAt" > clock_timestamp()`
