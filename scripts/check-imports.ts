/** Holds every import of the tree against the import table; prints each breach with the reason and exits with 1. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { circlesIn } from './import-circles.ts'
import { IMPORT_TABLE, ONLY, type Rule, TEXTS, WITH_ROWS } from './import-table.ts'

const IMPORT =
  /(?:^|[;\n])\s*(?:import|export)\s+(?:[\w*{][^'"=;()]*?\bfrom\s+)?['"]([^'"\n]+)['"]|\bimport\(\s*['"]([^'"\n]+)['"]/g

/** Every module that a source file imports, statically or dynamically. */
export function importsOf(source: string): string[] {
  return Array.from(source.matchAll(IMPORT), (match) => (match[1] ?? match[2])!)
}

/** The breaches of one file, each as one line; empty when it keeps to the table. */
export function breachesOf(file: string, source: string): string[] {
  const [folder, rule] = ruleFor(file) ?? []
  const imports = importsOf(source).flatMap((specifier) => {
    const breach = breachOfOnly(file, specifier) ?? breachOfTable(file, specifier, folder, rule)
    return breach === undefined ? [] : [`${file}: may not import '${specifier}': ${breach}`]
  })
  const texts = TEXTS.filter(({ uses, within }) => uses.test(source) && !within.test(file)).map(
    ({ uses, because }) => `${file}: may not contain '${uses.exec(source)![0]}': ${because}`,
  )
  return [...imports, ...texts]
}

function ruleFor(file: string): [string, Rule] | undefined {
  return Object.entries(IMPORT_TABLE).find(([folder]) => isWithin(file, folder))
}

function breachOfTable(file: string, specifier: string, folder?: string, rule?: Rule): string | undefined {
  if (folder === undefined || rule === undefined) {
    return WITH_ROWS.some((folder) => file.startsWith(`${folder}/`))
      ? 'this folder is not in scripts/import-table.ts: add it with a reason'
      : undefined
  }
  const target = targetOf(file, specifier)
  if (target !== undefined) {
    return [folder, ...rule.may].some((allowed) => isWithin(target, allowed)) ? undefined : rule.because
  }
  const allowed = rule.packages === undefined || rule.packages.some((name) => isWithin(specifier, name))
  return allowed ? undefined : rule.because
}

function breachOfOnly(file: string, specifier: string): string | undefined {
  return ONLY.find(({ uses, within }) => uses.test(specifier) && !within.test(file))?.because
}

/** The file or folder of this repository that a specifier names; undefined for packages and Node modules. */
function targetOf(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return normalize(join(dirname(file), specifier))
  const [, name, path] =
    /^@fedsvd\/(core|engine|starter|testing|server|client|cli|dashboard)(\/.*)?$/.exec(specifier) ?? []
  if (name === undefined) return undefined
  const root = ['core', 'engine', 'starter', 'testing'].includes(name) ? 'packages' : 'apps'
  return `${root}/${name}/src${path === '/errors' ? '/errors.ts' : (path ?? '')}`
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}

/** The source files of the packages and apps, tests and generated code left out. */
export function sourceFiles(root: string): string[] {
  return ['packages', 'apps']
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
    )
    .filter((file) => /^[^/]+\/[^/]+\/src\/.*\.tsx?$/.test(file) && !/\.test(-d)?\.tsx?$|\/generated\//.test(file))
}

/** The breaches of all of them, import circles included. */
export function breachesOfTree(root: string): string[] {
  const sources = new Map(sourceFiles(root).map((file) => [file, readFileSync(join(root, file), 'utf8')]))
  const targets = new Map([...sources].map(([file, source]) => [file, targetsOf(file, source, sources)]))
  return [...[...sources].flatMap(([file, source]) => breachesOf(file, source)), ...circlesIn(targets).map(circleText)]
}

/** The source files that a file imports. */
function targetsOf(file: string, source: string, sources: ReadonlyMap<string, unknown>): string[] {
  return importsOf(source).flatMap((specifier) => {
    const target = targetOf(file, specifier)
    return [target, `${target}/index.ts`].filter((name) => name !== undefined && sources.has(name)) as string[]
  })
}

function circleText(files: readonly string[]): string {
  return `${files.join(' <-> ')}: import each other: none of them can be understood, tested or loaded without the others. Move what both need into a file of its own`
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const root = join(dirname(fileURLToPath(import.meta.url)), '..')
  const breaches = breachesOfTree(root)
  for (const breach of breaches) console.error(breach)
  console.log(`${sourceFiles(root).length} files held against the import table, ${breaches.length} breaches`)
  process.exitCode = breaches.length === 0 ? 0 : 1
}
