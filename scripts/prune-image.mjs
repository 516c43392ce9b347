/**
 * Removes from node_modules what `npm ci --omit=dev` leaves of the development tools: they are optional peers of
 * packages that are needed (Prisma's command line and TypeScript are, of Prisma's client), so npm installs them all the
 * same. The lock file marks them: reachable from development dependencies, and otherwise by optional edges alone.
 *
 *   node scripts/prune-image.mjs [folder]
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The packages of a lock file that only development needs, as folders. */
export function developmentOnly({ packages }) {
  return Object.entries(packages)
    .filter(([folder, { dev, devOptional, link }]) => folder.includes('node_modules/') && !link && (dev || devOptional))
    .map(([folder]) => folder)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = resolve(process.argv[2] ?? '.')
  const found = developmentOnly(JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))).filter((folder) =>
    existsSync(join(root, folder)),
  )
  for (const folder of found) rmSync(join(root, folder), { recursive: true, force: true })
  console.log(`${found.length} packages removed that only development needs`)
}
