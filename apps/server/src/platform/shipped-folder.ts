import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/**
 * A folder that travels in the published package of the coordinator, or its place in the repository where it does not.
 */
export function shippedFolder(inPackage: URL, inRepository: URL): string {
  const packaged = fileURLToPath(inPackage)
  return existsSync(packaged) ? packaged : fileURLToPath(inRepository)
}
