import { readdirSync } from 'node:fs'
import path from 'node:path'
import { type Manifest, manifestOf, PUBLISHED, type Published, ROOT } from './published.ts'

interface Entry {
  readonly types: string
  readonly default: string
}

/**
 * The manifest of a package as it is published: what is built in place of the sources, the other packages of this
 * repository in the very version that they are built in, and nothing that only development needs.
 */
export function publishedManifest(name: string): Record<string, unknown> {
  const published = PUBLISHED[name]!
  const { version, license, type, bin, exports, ...source } = manifestOf(published.source)
  const { engines } = manifestOf('.') as Manifest & { readonly engines: Readonly<Record<string, string>> }
  const { peerDependencies, peerDependenciesMeta } = source
  return {
    name,
    version,
    description: published.description,
    license,
    type,
    engines,
    ...(published.preinstall && { scripts: { preinstall: `node ${published.preinstall}` } }),
    ...(bin && { bin }),
    exports: builtExports(published, exports ?? {}),
    files: ['dist', ...Object.values(published.with ?? {}).filter((file) => file !== 'README.md')],
    dependencies: Object.fromEntries(
      Object.entries(source.dependencies)
        .filter(([dependency]) => !published.without?.includes(dependency))
        .map(([dependency, range]) => [dependency, versionOf(dependency) ?? range]),
    ),
    ...(peerDependencies && { peerDependencies, peerDependenciesMeta }),
  }
}

function versionOf(name: string): string | undefined {
  const published = PUBLISHED[name]
  return published && manifestOf(published.source).version
}

/** One entry for each that the sources have; a pattern becomes the entries that it stands for. */
function builtExports({ source }: Published, exports: Readonly<Record<string, string>>): Record<string, unknown> {
  const entries = Object.entries(exports).flatMap(([subpath, target]): [string, string | Entry][] => {
    if (!target.endsWith('.ts')) return [[subpath, target]]
    if (!subpath.includes('*')) return [[subpath, built(target)]]
    return matches(source, target).map((match) => [subpath.replace('*', match), built(target.replace('*', match))])
  })
  return Object.fromEntries(entries)
}

/** What the star of a target stands for: every room that has such a file. */
function matches(source: string, target: string): readonly string[] {
  const [before, after] = target.split('*') as [string, string]
  return readdirSync(path.join(ROOT, source, before), { recursive: true, encoding: 'utf8' })
    .map((file) => file.split(path.sep).join('/'))
    .filter((file) => file.endsWith(after))
    .map((file) => file.slice(0, -after.length))
    .sort()
}

function built(target: string): Entry {
  const file = target.replace('./src/', './dist/').replace(/\.ts$/, '')
  return { types: `${file}.d.ts`, default: `${file}.js` }
}
