/** Preloaded into a command: writes what it loaded to the file in `LOADED`, a line each. */
import { appendFileSync, writeFileSync } from 'node:fs'
import { createRequire, register } from 'node:module'

writeFileSync(process.env.LOADED, '')
register(new URL('record-loads.mjs', import.meta.url))
const { cache } = createRequire(import.meta.url)
process.on('exit', () => appendFileSync(process.env.LOADED, `${Object.keys(cache).join('\n')}\n`))
