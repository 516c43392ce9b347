import type { ReferenceStore } from '../store.ts'
import type { PrismaClient } from './generated/client.ts'

export function prismaReferences(prisma: PrismaClient): ReferenceStore {
  return {
    async referenced(names, { keepUpdates }) {
      const isNamed = { sha256: { in: [...names] } }
      const isOpen = { phase: { not: 'published' as const }, run: { endedAt: null } }
      const select = { sha256: true } as const
      const updates = await prisma.update.findMany({
        where: keepUpdates ? isNamed : { ...isNamed, counted: isOpen },
        select,
      })
      const states = await prisma.adapter.findMany({ where: { ...isNamed, retiredAt: null }, select })
      return new Set([...updates, ...states].map(({ sha256 }) => sha256))
    },
  }
}
