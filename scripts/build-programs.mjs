/**
 * Builds the programs of this repository into JavaScript, so that they start in a fraction of the time that transpiling
 * takes: run after each install, and by the tests. What it builds is used as long as no source has changed since
 * (`apps/cli/bin/programs.mjs`); a program that is not built runs from its sources, as before.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { BUILD, builtProgram } from '../apps/cli/bin/programs.mjs'

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const OUT = fileURLToPath(BUILD)
/** Each build has a folder of its own: a program that runs still finds the parts that it has not loaded yet. */
const OUT_OF_A_BUILD = join(OUT, 'a-build')
const BUILDS_KEPT = 3

/** Threads begin as plain JavaScript that loads a transpiler; built, they need none. */
const THREADS = {
  'apps/client/src/transport/worker.mjs': 'connection-thread',
  'apps/server/src/privacy/accounting/worker.mjs': 'accounting-thread',
  'apps/server/src/refactorisation/worker.mjs': 'refactorisation-thread',
  'packages/engine/src/runtime/tfjs/tfjs-thread.mjs': 'tfjs-thread',
}
const PROGRAMS = { 'apps/cli/src/main.ts': 'fedsvd', 'apps/server/src/main.ts': 'coordinator', ...THREADS }
const TEST_PROGRAMS = { 'packages/testing/src/server/coordinator-program.ts': 'coordinator-program' }

/**
 * Builds what is not built yet, or has changed. Where it cannot, it says so: the programs then run from their sources.
 *
 * @param {{ readonly withTests?: boolean }} options
 */
export async function buildPrograms(options = {}) {
  try {
    await buildChanged(options)
  } catch (error) {
    process.stderr.write(`programs are not built and start slowly: ${error instanceof Error ? error.message : error}\n`)
  }
}

async function buildChanged({ withTests = false }) {
  const programs = withTests ? { ...PROGRAMS, ...TEST_PROGRAMS } : PROGRAMS
  const entries = Object.entries(programs).filter(([source]) => existsSync(join(ROOT, source)))
  if (entries.every(([source]) => builtProgram(source) !== undefined)) return
  const begun = Date.now()
  // Not `mkdtemp`, whose folder is for one user alone: another user may run the programs.
  const staging = join(OUT, `staging-${process.pid}`)
  rmSync(staging, { recursive: true, force: true })
  mkdirSync(staging, { recursive: true })
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: entries.map(([source, out]) => ({ in: source, out })),
    outdir: staging,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    keepNames: true,
    sourcemap: 'linked',
    metafile: true,
    logLevel: 'error',
    plugins: [packagesOutside, placesOfSources],
  })
  const inputs = Object.keys(metafile.inputs)
    .filter((path) => existsSync(join(ROOT, path)))
    .map((path) => {
      const { size, mtimeMs } = statSync(join(ROOT, path))
      return [path.split(sep).join('/'), size, mtimeMs]
    })
  const changed = inputs.find(([, , time]) => time >= begun)
  if (changed !== undefined) {
    rmSync(staging, { recursive: true })
    throw new Error(`${changed[0]} changed while it was built`)
  }
  const folder = createHash('sha256')
    .update(JSON.stringify([inputs, entries]))
    .digest('hex')
    .slice(0, 16)
  if (existsSync(join(OUT, folder))) rmSync(staging, { recursive: true })
  else renameSync(staging, join(OUT, folder))
  const made = Object.fromEntries(entries.map(([source, out]) => [source, `${folder}/${out}.js`]))
  const list = join(OUT, `inputs-${process.pid}.json`)
  writeFileSync(list, JSON.stringify({ entries: made, inputs }))
  renameSync(list, join(OUT, 'inputs.json'))
  removeOldBuilds()
}

function removeOldBuilds() {
  const age = (folder) => statSync(join(OUT, folder)).mtimeMs
  const folders = readdirSync(OUT).filter((name) => /^[0-9a-f]{16}$/.test(name))
  for (const old of folders.sort((a, b) => age(b) - age(a)).slice(BUILDS_KEPT)) {
    rmSync(join(OUT, old), { recursive: true, force: true })
  }
}

/** Packages of others stay outside; those of the workspace are built in. A thread that is built loads no transpiler. */
const packagesOutside = {
  name: 'packages-outside',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^tsx\/esm\/api$/ }, ({ path }) => ({ path, namespace: 'no-transpiler' }))
    onLoad({ filter: /.*/, namespace: 'no-transpiler' }, () => ({ contents: 'export const register = () => {}' }))
    onResolve({ filter: /^[^./]/ }, ({ path, kind, importer }) => {
      if (kind === 'entry-point' || path.startsWith('@fedsvd/')) return undefined
      requireSamePackage(path, dirname(importer))
      return { path, external: true }
    })
  },
}

/** A built program must find the very package that its source finds. */
function requireSamePackage(path, from) {
  if (path.startsWith('node:')) return
  const name = path.split('/', path.startsWith('@') ? 2 : 1).join('/')
  const [there, here] = [findPackage(name, from), findPackage(name, OUT)]
  if (there !== here) throw new Error(`expected ${path} at ${there}, as ${from} finds it, got ${here} from ${OUT}`)
}

function findPackage(name, from) {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'node_modules', name))) return join(folder, 'node_modules', name)
    if (folder === dirname(folder)) return undefined
  }
}

/** What a source says of its own place stays true: files beside it are found where they are. */
const placesOfSources = {
  name: 'places-of-sources',
  setup({ onLoad }) {
    onLoad({ filter: /\.(ts|mjs)$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8')
      if (!source.includes('import.meta.')) return undefined
      const place = (file) => `new URL(${JSON.stringify(relative(OUT_OF_A_BUILD, file).split(sep).join('/'))}, @HERE@)`
      const contents = source
        .replaceAll(/new URL\('\.\/([\w-]+\.mjs)', import\.meta\.url\)/g, (whole, file) => {
          const thread =
            THREADS[
              relative(ROOT, join(dirname(path), file))
                .split(sep)
                .join('/')
            ]
          return thread === undefined ? whole : `new URL('./${thread}.js', @HERE@)`
        })
        .replaceAll(
          'import.meta.dirname',
          `process.getBuiltinModule('node:url').fileURLToPath(${place(dirname(path))})`,
        )
        .replaceAll('import.meta.url', `${place(path)}.href`)
        .replaceAll('@HERE@', 'import.meta.url')
      return { contents, loader: path.endsWith('.ts') ? 'ts' : 'js' }
    })
  },
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await buildPrograms({ withTests: process.argv.includes('--with-tests') })
}
