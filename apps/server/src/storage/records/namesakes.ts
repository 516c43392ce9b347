import type { ClientRecord } from './records.ts'
import type { Enrolled } from './store.ts'

/**
 * What an enrolment comes to where others have its name: the same key is the client that it is already, and another one
 * is refused while a client of that name is in good standing. Undefined where the name is free.
 */
export function enrolledUnder(namesakes: readonly ClientRecord[], publicKey: string): Enrolled | undefined {
  const standing = namesakes.filter(({ revokedAt }) => revokedAt === undefined)
  const same = standing.find((client) => client.publicKey === publicKey)
  if (same !== undefined) return { clientId: same.id }
  return standing[0] && { namesake: standing[0] }
}
