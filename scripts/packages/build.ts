/**
 * Builds the packages that others install, each as a folder and as a tarball under `build/packages`:
 * `npm run packages`. Inside the repository packages are used from their sources; what is built here is for outside.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { publishedManifest } from './manifest.ts'
import { PUBLISHED, ROOT } from './published.ts'

const NOT_PUBLISHED = ['**/*.test.ts', '**/vectors']

/** @returns the tarballs, by name of the package */
export function buildPackages(out = path.join(ROOT, 'build/packages')): Readonly<Record<string, string>> {
  rmSync(out, { recursive: true, force: true })
  return Object.fromEntries(Object.keys(PUBLISHED).map((name) => [name, buildPackage(name, out)]))
}

function buildPackage(name: string, out: string): string {
  const { source, with: others = {} } = PUBLISHED[name]!
  const folder = path.join(out, path.basename(source))
  mkdirSync(folder, { recursive: true })
  compile(path.join(ROOT, source), folder)
  for (const [from, to] of Object.entries({ LICENSE: 'LICENSE', NOTICE: 'NOTICE', ...others })) {
    requireBuilt(from)
    cpSync(path.join(ROOT, from), path.join(folder, to), { recursive: true })
  }
  writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(publishedManifest(name), null, 2)}\n`)
  const answer = run('npm', ['pack', '--json', '--pack-destination', out, folder], { cwd: folder })
  const [{ filename }] = JSON.parse(answer) as [{ filename: string }]
  return path.join(out, filename)
}

function requireBuilt(file: string): void {
  if (existsSync(path.join(ROOT, file))) return
  throw new Error(`expected ${file} to be there, got nothing. Run npm run build first`)
}

/** JavaScript and declarations, file by file: threads and files that lie beside a source lie beside what it became. */
function compile(source: string, folder: string): void {
  const dist = path.join(folder, 'dist')
  const settings = {
    extends: path.join(source, 'tsconfig.json'),
    compilerOptions: {
      noEmit: false,
      rootDir: path.join(source, 'src'),
      outDir: dist,
      declaration: true,
      rewriteRelativeImportExtensions: true,
      typeRoots: [path.join(ROOT, 'node_modules/@types')],
    },
    include: [path.join(source, 'src')],
    exclude: NOT_PUBLISHED.map((pattern) => path.join(source, 'src', pattern)),
  }
  const project = path.join(folder, 'tsconfig.json')
  writeFileSync(project, JSON.stringify(settings))
  run(process.execPath, [path.join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', project])
  rmSync(project)
  for (const file of filesOf(dist, '.d.ts')) rewrite(path.join(dist, file), importBuiltDeclarations)
  for (const file of filesOf(path.join(source, 'src'), '.mjs')) {
    cpSync(path.join(source, 'src', file), path.join(dist, file))
    rewrite(path.join(dist, file), loadBuiltSources)
  }
}

function filesOf(folder: string, extension: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith(extension))
}

function rewrite(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, 'utf8')))
}

/** The compiler leaves the extensions of declarations as they are. */
function importBuiltDeclarations(text: string): string {
  return text.replaceAll(/((?:from|import\()\s*["']\.{1,2}\/[^"']*)\.ts(["'])/g, '$1.js$2')
}

/** A thread of the sources loads a transpiler first; what is built needs none. */
function loadBuiltSources(text: string): string {
  const changed = text
    .replace(/^import \{ register \} from 'tsx\/esm\/api'\n/m, '')
    .replace(/^register\(\)\n/m, '')
    .replaceAll(/(import\('\.\/[\w-]+)\.ts'\)/g, "$1.js')")
  if (/tsx|\.ts'/.test(changed)) throw new Error(`expected a thread that loads no sources, got:\n${changed}`)
  return changed
}

function run(command: string, args: readonly string[], options: { readonly cwd?: string } = {}): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', ...options })
  if (status === 0) return stdout
  throw new Error(`expected ${command} ${args.join(' ')} to succeed, got status ${status}:\n${stdout}${stderr}`)
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const tarball of Object.values(buildPackages())) process.stdout.write(`${path.relative(ROOT, tarball)}\n`)
}
