/**
 * Builds both images and runs them: `npm run test:images`. Needs podman and buildah, and PostgreSQL on the loopback.
 * `npm run test:images -- --built` runs those that it built before. Exits with 1 where anything fails, or an image is
 * larger than it may be. See docs/how-to/build-the-images.md.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { postgresAnswers, temporaryFolder } from '../../packages/testing/src/server/index.ts'
import { IMAGES } from '../check-image.mjs'
import { tryCommands } from './commands.ts'
import { Container } from './container.ts'
import { importDebianBase } from './debian-base.ts'
import { tryEmbedded, tryFederation } from './federation.ts'
import { run } from './run-command.ts'
import { Trial } from './trial.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
/** What an image may have beyond its base. */
const MOST_MB = Number(process.env.FEDSVD_IMAGE_MB ?? 700)
const DEBIAN_BASE = 'localhost/fedsvd-base:debian-node-24'

requireProgram('podman')
requireProgram('buildah')
if (!(await postgresAnswers())) {
  throw new Error('expected a PostgreSQL server at 127.0.0.1:5432 or FEDSVD_TEST_POSTGRES, got no answer. Start one')
}
const base = baseImage(process.env.FEDSVD_BASE_IMAGE)
const isBuilt = process.argv.includes('--built')
const trial = new Trial()
for (const image of IMAGES) {
  if (!isBuilt)
    trial.step(`${image}: built on ${base}`, () => {
      const build = ['build', '--isolation', 'chroot', '--network', 'host', '--build-arg', `NODE_IMAGE=${base}`]
      run('podman', [...build, '--target', image, '--tag', nameOf(image), '.'], { cwd: ROOT, isShown: true })
    })
  trial.step(`${image}: at most ${MOST_MB} MB beyond its base`, () => {
    const megabytes = Math.round((sizeOf(nameOf(image)) - sizeOf(base)) / 1e6)
    process.stdout.write(`        ${image}: ${megabytes} MB beyond its base\n`)
    if (megabytes > MOST_MB) throw new Error(`expected at most ${MOST_MB} MB, got ${megabytes}`)
  })
}
if (trial.summary.failed === 0) await tryImages()
const { done, failed } = trial.summary
process.stdout.write(`${done} steps passed, ${failed} failed\n`)
process.exitCode = failed === 0 ? 0 : 1

async function tryImages(): Promise<void> {
  using coordinator = new Container(nameOf('coordinator'))
  using site = new Container(nameOf('site'))
  tryCommands(trial, 'coordinator', coordinator)
  tryCommands(trial, 'site', site)
  trial.step('coordinator: demo --quick', () => void coordinator.fedsvd(['demo', '--quick']))
  for (const folders of [
    async (folder: string) => await tryEmbedded(trial, coordinator, folder),
    async (folder: string) => await tryFederation(trial, { coordinator, site }, folder),
  ]) {
    await using folder = await temporaryFolder()
    try {
      await folders(folder.path)
    } catch (error) {
      trial.step('and what follows', () => {
        throw error
      })
    }
  }
}

function requireProgram(name: string): void {
  if (spawnSync(name, ['--version']).error === undefined) return
  process.stderr.write(
    `expected the program ${name}, got none. Install it: apt-get install podman buildah debootstrap\n`,
  )
  process.exit(1)
}

/** The base of the Dockerfile, the one that is named, or `debian`: made here where no registry of images answers. */
function baseImage(name: string | undefined): string {
  if (name === undefined)
    return /^ARG NODE_IMAGE=(\S+)$/m.exec(readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8'))![1]!
  if (name !== 'debian') return name
  if (spawnSync('podman', ['image', 'exists', DEBIAN_BASE]).status !== 0) importDebianBase(DEBIAN_BASE)
  return DEBIAN_BASE
}

function nameOf(image: string): string {
  return `localhost/fedsvd-${image}:test`
}

function sizeOf(image: string): number {
  return Number(run('podman', ['image', 'inspect', '--format', '{{.Size}}', image]))
}
