/**
 * Holds the packages that source files import against what their package declares. An import that is not declared is
 * found by luck: an installer may place another version of it, or none, where the file looks.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { importsOf, sourceFiles } from './check-imports.ts'

/** Tests and their kit run in this repository alone. */
const FOR_TESTS = /^packages\/testing\/|\.test\.tsx?$/

type Names = Readonly<Record<string, unknown>>
interface Manifest {
  readonly name?: string
  readonly dependencies?: Names
  readonly devDependencies?: Names
  readonly peerDependencies?: Names
  readonly optionalDependencies?: Names
}
interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly link?: boolean }>>
}

/** The package that a specifier names; undefined for files, for Node's own modules and for what a bundler makes. */
export function packageOf(specifier: string): string | undefined {
  if (/^[./#]|^[a-z]+:/.test(specifier) || isBuiltin(specifier)) return undefined
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

/**
 * The breaches of one file. What a product's file imports has to be declared by its own package. A test may import what
 * the workspace declares, or what is installed for others, as long as there is a single version of it.
 */
export function breachesOf(
  file: string,
  source: string,
  { own, workspace, lock }: { readonly own: Manifest; readonly workspace: Manifest; readonly lock: Lock },
): string[] {
  const declared = { ...namesIn(own), ...(FOR_TESTS.test(file) && namesIn(workspace)) }
  const imported = new Set(importsOf(source).flatMap((specifier) => packageOf(specifier) ?? []))
  return [...imported].flatMap((wanted) => {
    if (wanted === own.name || Object.hasOwn(declared, wanted)) return []
    if (!FOR_TESTS.test(file)) return [`${file}: imports ${wanted}, which its package.json does not declare: add it`]
    const versions = versionsOf(wanted, lock)
    if (versions.length <= 1) return []
    return [`${file}: imports ${wanted}, of which ${versions.join(' and ')} are installed: resolve it as its user does`]
  })
}

function namesIn({ dependencies, peerDependencies, optionalDependencies, devDependencies }: Manifest): Names {
  return { ...dependencies, ...peerDependencies, ...optionalDependencies, ...devDependencies }
}

function versionsOf(name: string, { packages }: Lock): string[] {
  const copies = Object.entries(packages).filter(([place, { link }]) => !link && place.endsWith(`node_modules/${name}`))
  return [...new Set(copies.map(([, { version }]) => version ?? 'one without a version'))]
}

/** The breaches of all packages and apps, tests included. */
export function breachesOfTree(root: string): string[] {
  const read = <T>(...file: string[]): T => JSON.parse(readFileSync(join(root, ...file), 'utf8')) as T
  const lock = read<Lock>('package-lock.json')
  const workspace = read<Manifest>('package.json')
  return [...sourceFiles(root), ...testFiles(root)].flatMap((file) => {
    const own = read<Manifest>(...file.split('/').slice(0, 2), 'package.json')
    return breachesOf(file, readFileSync(join(root, file), 'utf8'), { own, workspace, lock })
  })
}

function testFiles(root: string): string[] {
  return ['packages', 'apps'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((file) => join(folder, file))
      .filter((file) => /^[^/]+\/[^/]+\/(src|tests)\/.*\.test\.tsx?$/.test(file)),
  )
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const breaches = breachesOfTree(join(dirname(fileURLToPath(import.meta.url)), '..'))
  for (const breach of breaches) console.error(breach)
  process.exitCode = breaches.length === 0 ? 0 : 1
}
