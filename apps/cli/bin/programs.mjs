import { accessSync, constants, readFileSync, statSync } from 'node:fs'

/** Where `scripts/build-programs.mjs` writes; beside the server, since some packages are installed there alone. */
export const BUILD = new URL('../../server/build/', import.meta.url)

/** What the build writes down of each source that it read: its path from the root, its size and its time. */
const INPUTS = new URL('inputs.json', BUILD)
const ROOT = new URL('../../../', import.meta.url)

/**
 * The built form of a program, or undefined where it was not built, cannot be read, or a source has changed since: then
 * the source runs, and is transpiled at each start.
 *
 * @param {string} name path of the entry from the root, such as apps/cli/src/main.ts
 * @returns {URL | undefined}
 */
export function builtProgram(name) {
  try {
    const { entries, inputs } = JSON.parse(readFileSync(INPUTS, 'utf8'))
    const isCurrent = inputs.every(([path, size, time]) => {
      const now = statSync(new URL(path, ROOT))
      return now.size === size && now.mtimeMs === time
    })
    if (!isCurrent || entries[name] === undefined) return undefined
    const built = new URL(entries[name], BUILD)
    accessSync(built, constants.R_OK)
    return built
  } catch {
    return undefined // not built, not readable for this user, or a source is gone
  }
}
