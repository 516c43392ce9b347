import type { NonceStore } from '../coordinator-stores.ts'
import { after } from './database-time.ts'
import type { PrismaClient } from './generated/client.ts'

export function prismaNonces(prisma: PrismaClient): NonceStore {
  return {
    async spend(nonce, lifetimeMs) {
      const count = await prisma.$executeRaw`
        INSERT INTO "SpentNonce" ("nonce", "expiresAt") VALUES (${nonce}, ${after(lifetimeMs)}) ON CONFLICT DO NOTHING`
      return count === 1
    },
  }
}
