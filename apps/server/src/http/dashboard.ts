import { randomBytes } from 'node:crypto'
import { access, readFile } from 'node:fs/promises'
import path from 'node:path'
import express, { type Request, type RequestHandler, type Response, Router } from 'express'
import { shippedFolder } from '../platform/index.ts'

/** Where `npm run build` leaves the dashboard. */
export const BUILT_DASHBOARD = shippedFolder(
  new URL('../../dashboard', import.meta.url),
  new URL('../../../dashboard/dist', import.meta.url),
)

/** Addresses that the dashboard itself resolves. */
const VIEWS = /^\/(?:runs(?:\/[^/]+)?|clients(?:\/[^/]+)?|models|what-if|new-run|reports|audit)?$/
/** What no page is under: unknown addresses there are answered to programs. */
const NOT_OF_PAGES = /^\/(?:v1|assets|socket\.io)(?:\/|$)/
/** Stands in the built page for the nonce of the response. */
const NONCE = '__CSP_NONCE__'

/** How the built page begins the addresses of its assets. */
const ASSETS = '"./assets/'

const NOT_BUILT = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>fedsvd: the dashboard is not built</title>
<h1>The dashboard is not built</h1>
<p>This coordinator runs, and serves its API under <code>/v1</code>. To see the dashboard, run this in the folder of fedsvd
and load the page again; the coordinator need not be restarted:</p>
<pre>npm run build</pre>
</html>
`

/**
 * The page for operators and its assets; nothing here needs a sign-in, as it holds no data. The page may load its own
 * scripts and styles and speak to this coordinator, and nothing else. Where it has not been built it says how.
 */
export function dashboard(folder: string = BUILT_DASHBOARD): Router {
  const router = Router()
  const assets = path.join(folder, 'assets')
  router.use('/assets', compressed(assets))
  router.use('/assets', express.static(assets, { immutable: true, maxAge: '1y', index: false }))
  router.use(page(folder))
  return router
}

/** The names of assets, which lie in one folder. */
const ASSET = /^\/[\w-][\w.-]*\.(?:js|css|svg)$/
const ENDINGS = { br: '.br', gzip: '.gz' } as const

/**
 * An asset as the build has compressed it, to browsers that take it so: compressing it here would cost time each time.
 */
function compressed(folder: string): RequestHandler {
  return async (request, response, next) => {
    if (!ASSET.test(request.path)) return next()
    response.vary('accept-encoding')
    const encoding = (['br', 'gzip'] as const).find((one) => request.acceptsEncodings(one) !== false)
    if (encoding === undefined) return next()
    const name = `${request.path}${ENDINGS[encoding]}`
    if (!(await isThere(path.join(folder, name)))) return next()
    response.type(path.extname(request.path)).set('content-encoding', encoding)
    request.url = name
    next()
  }
}

async function isThere(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  )
}

/** A browser that was led to an address that there is none of sees the page say so, and not JSON. */
function isLost(request: Request): boolean {
  return !NOT_OF_PAGES.test(request.path) && request.accepts(['json', 'html']) === 'html'
}

function page(folder: string): RequestHandler {
  return async (request, response, next) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return next()
    const isView = VIEWS.test(request.path)
    if (!isView && !isLost(request)) return next()
    const nonce = randomBytes(16).toString('base64')
    const html = await builtPage(folder)
    restrict(response, nonce)
    response
      .status(html === undefined ? 503 : isView ? 200 : 404)
      .set('cache-control', 'no-store')
      .type('html')
      .send(html === undefined ? NOT_BUILT : html.replaceAll(NONCE, nonce).replaceAll(ASSETS, assetsFrom(request.path)))
  }
}

/**
 * The same from a view further down. The prefix before it, where a reverse proxy has one, is known to the browser
 * alone.
 */
function assetsFrom(view: string): string {
  return `"${'../'.repeat(view.split('/').length - 2) || './'}assets/`
}

async function builtPage(folder: string): Promise<string | undefined> {
  try {
    return await readFile(path.join(folder, 'index.html'), 'utf8')
  } catch {
    return undefined
  }
}

function restrict(response: Response, nonce: string): void {
  const policy = [
    "default-src 'none'",
    `script-src 'self' 'nonce-${nonce}'`,
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ]
  response.set('content-security-policy', policy.join('; '))
}
