/**
 * Generates the Prisma client from prisma/schema.prisma, with no network: run after each install.
 *
 * Prisma's command line would download a native schema engine, which generation does not use. Naming any existing
 * program in PRISMA_SCHEMA_ENGINE_BINARY keeps it from looking; should it ever start that program, node refuses its
 * arguments and generation fails loudly.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const schema = path.join(root, 'prisma/schema.prisma')
const output = path.join(root, 'apps/server/src/storage/records/postgres/generated')
const stampFile = path.join(output, '.generated-from')

const prisma = findPrisma()
const stamp = createHash('sha256').update(readFileSync(schema)).update(`\nprisma ${prisma.version}`).digest('hex')
if (!isUpToDate()) generate()

function isUpToDate() {
  return (
    existsSync(path.join(output, 'client.ts')) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp
  )
}

function generate() {
  if (!prisma.cli) fail('the package "prisma" to be installed', 'none', 'Run npm ci without --omit=dev')
  rmSync(output, { recursive: true, force: true })
  const { status, error, stdout, stderr } = spawnSync(process.execPath, [prisma.cli, 'generate', '--schema', schema], {
    cwd: root,
    encoding: 'utf8',
    timeout: 120_000,
    env: {
      ...process.env,
      PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      CHECKPOINT_DISABLE: '1',
      DO_NOT_TRACK: '1',
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
      NO_COLOR: '1',
    },
  })
  if (status !== 0 || !existsSync(path.join(output, 'client.ts'))) {
    process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`)
    const got = error?.message ?? `exit status ${status}`
    fail('prisma generate to write the client', got, 'Read its output above; prisma/schema.prisma may be invalid')
  }
  writeFileSync(stampFile, stamp)
}

/** The version that the workspace pins, and the command line where it is installed. */
function findPrisma() {
  const { dependencies } = JSON.parse(readFileSync(path.join(root, 'apps/server/package.json'), 'utf8'))
  const version = dependencies['@prisma/client']
  try {
    return { version, cli: createRequire(path.join(root, 'package.json')).resolve('prisma/build/index.js') }
  } catch {
    return { version }
  }
}

function fail(expected, got, remedy) {
  process.stderr.write(`Prisma client not generated: expected ${expected}, got ${got}. ${remedy}.\n`)
  process.exit(1)
}
