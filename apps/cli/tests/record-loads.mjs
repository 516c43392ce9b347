import { appendFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Node's hook for each module that is imported. */
export async function load(url, context, next) {
  if (url.startsWith('file:')) appendFileSync(process.env.LOADED, `${fileURLToPath(url)}\n`)
  return await next(url, context)
}
