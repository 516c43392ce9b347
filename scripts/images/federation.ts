import { randomBytes } from 'node:crypto'
import { chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { RunSnapshot } from '../../packages/core/src/protocol/index.ts'
import { freshDatabase, get, post } from '../../packages/testing/src/server/index.ts'
import { composeServices, type Service } from './compose.ts'
import type { Container, Given, Running } from './container.ts'
import type { Trial } from './trial.ts'

/** The user of the images. */
const USER = 1000
const SITES = ['north', 'south', 'east']
const RECORDS = 400
const RUN_LIMIT_MS = 15 * 60_000
const START_LIMIT_MS = 120_000
const STATE = '/fedsvd-state'
const OPERATOR_TOKEN = randomBytes(32).toString('hex')

/** A small run of the starter: what it learns is no matter here. */
const RUN = {
  name: 'images',
  method: 'fedsvd',
  model: { name: 'starter', maxTokens: 16, featureScale: 10 },
  labels: ['ham', 'spam'],
  adapter: { rank: 4, alpha: 4, headMode: 'trained' },
  rounds: 2,
  localSteps: 1,
  expectedLotSize: 16,
  clipNorm: 0.5,
  learningRate: 1,
  momentum: 0,
  target: { epsilon: 6, delta: 1e-5 },
  clientsPerRound: SITES.length,
  quorum: SITES.length,
  deadlineSeconds: 600,
  seed: 'images',
}

interface Placed {
  readonly folder: string
  readonly port: number
  readonly databaseUrl: string
}

/**
 * Starts the services of the compose file from the images, as compose would, but on the loopback and with a database
 * on the PostgreSQL of this machine; trains with them, and runs the commands that need a coordinator or a ledger.
 */
export async function tryFederation(
  trial: Trial,
  images: Readonly<Record<string, Container>>,
  folder: string,
): Promise<void> {
  await using database = await freshDatabase()
  const placed = { folder, port: await freePort(), databaseUrl: database.url }
  const url = `http://127.0.0.1:${placed.port}`
  for (const site of SITES) writeRecords(folderOf(placed, `sites/${site}`))

  const { coordinator } = servicesAt(placed, {})
  await using server = start(images, coordinator!, placed)
  await trial.wait('compose: the coordinator is healthy on PostgreSQL', () => healthy(images, coordinator!, server))
  await trial.wait('coordinator: the dashboard is served', async () => {
    const page = await (await fetch(url)).text()
    if (!page.includes('<div id="root"')) throw new Error(`expected the page of the dashboard, got:\n${page}`)
  })

  const { tokens } = await post<{ tokens: readonly string[] }>(
    url,
    '/v1/enrolment-tokens',
    { count: SITES.length, expiresInSeconds: 3600 },
    OPERATOR_TOKEN,
  )
  const { runId } = await post<{ runId: string }>(url, '/v1/runs', RUN, OPERATOR_TOKEN)
  const services = servicesAt(placed, Object.fromEntries(SITES.map((site, at) => [tokenOf(site), tokens[at]!])))
  const running = SITES.map((site) => start(images, services[site]!, placed))
  await using _sites = {
    [Symbol.asyncDispose]: async () => void (await Promise.all(running.map((site) => site[Symbol.asyncDispose]()))),
  }
  const run = await trial.wait('compose: three sites train two rounds', () =>
    completed(url, runId, [server, ...running]),
  )
  await trial.wait('coordinator: statement verify', async () => {
    const statement = await get(url, `/v1/runs/${runId}/statements/${run.clients[0]!.clientId}`, OPERATOR_TOKEN)
    const { publicKey } = await get<{ publicKey: string }>(url, '/v1/statement-key')
    const input = path.join(folderOf(placed, 'coordinator'), 'statement.json')
    writeFileSync(input, JSON.stringify(statement))
    images.coordinator!.fedsvd(
      ['statement', 'verify', `${STATE}/statement.json`, '--public-key', publicKey],
      given(coordinator!, placed),
    )
  })
  const ada = ['--name', 'ada', '--role', 'auditor', '--secret-file', 'ada.secret', '--json']
  const operatorId = await trial.wait('coordinator: operator create', async () => {
    const create = ['operator', 'create', '--coordinator', url, ...ada]
    const printed = images.coordinator!.fedsvd(create, given(coordinator!, placed))
    return (JSON.parse(printed) as { id: string }).id
  })
  tryOnRun(trial, images, placed, url, { runId, operatorId })
}

/** The commands of operators, of sites and of data owners, against what is there now. */
function tryOnRun(
  trial: Trial,
  images: Readonly<Record<string, Container>>,
  placed: Placed,
  url: string,
  { runId, operatorId }: { readonly runId: string; readonly operatorId: string },
): void {
  const services = servicesAt(placed, {})
  const at = ['--coordinator', url]
  const state = ['--state-dir', STATE]
  const commands: readonly (readonly [service: string, ...args: readonly string[]])[] = [
    ['coordinator', 'operator', 'list', ...at],
    ['coordinator', 'operator', 'disable', operatorId, ...at],
    ['coordinator', 'audit-log', 'show', ...at],
    ['coordinator', 'audit-log', 'verify', ...at],
    ['coordinator', 'export', runId, ...at, '--out', 'adapter'],
    ['north', 'ledger', 'show', ...state],
    ['north', 'ledger', 'verify', ...state],
    ['north', 'data', 'inspect', '/data/records.jsonl'],
    ['north', 'owner', 'init', '--key', `${STATE}/owner.pem`],
  ]
  for (const [service, ...args] of commands) {
    const { target } = services[service]!
    trial.step(
      `${target}: ${args
        .filter((arg) => /^[a-z-]+$/.test(arg))
        .slice(0, 2)
        .join(' ')}`,
      () => {
        images[target]!.fedsvd(args, given(services[service]!, placed))
      },
    )
  }
}

/** A coordinator on the embedded database is started, stopped, backed up and restored. */
export async function tryEmbedded(trial: Trial, coordinator: Container, folder: string): Promise<void> {
  const port = await freePort()
  const placed = { folder, port, databaseUrl: '' }
  const volumes = ['state', 'backups'].map((name) => `${folderOf(placed, name)}:/${name}`)
  const environment = { FEDSVD_STATE_DIR: '/state/first' }
  const service = { target: 'coordinator', command: ['serve', '--port', String(port)], environment, volumes: [] }
  await trial.wait('coordinator: serve on the embedded database', async () => {
    await using server = coordinator.start(service.command, { environment, volumes })
    await healthy({ coordinator }, { ...service, healthcheck: ['node', '/app/apps/cli/bin/health.mjs'] }, server)
  })
  trial.step('coordinator: backup', () => coordinator.fedsvd(['backup', '/backups/one'], { environment, volumes }))
  trial.step('coordinator: restore', () => {
    const restored = { environment: { FEDSVD_STATE_DIR: '/state/second' }, volumes }
    coordinator.fedsvd(['restore', '/backups/one'], restored)
  })
}

function servicesAt({ port, databaseUrl }: Placed, tokens: Readonly<Record<string, string>>) {
  const records = Object.fromEntries(SITES.map((site) => [`${site.toUpperCase()}_RECORDS`, String(RECORDS)]))
  const secrets = { FEDSVD_OPERATOR_TOKEN: OPERATOR_TOKEN, POSTGRES_PASSWORD: 'unused' }
  const here = (text: string): string =>
    text.replace('//coordinator:7373', `//127.0.0.1:${port}`).replace(/^7373$/, String(port))
  const services = composeServices({ ...secrets, ...records, ...tokens })
  return Object.fromEntries(
    Object.entries(services).map(([name, service]): [string, Service] => {
      const environment: Record<string, string> = { ...service.environment }
      if (environment.DATABASE_URL !== undefined) environment.DATABASE_URL = databaseUrl
      return [name, { ...service, command: service.command.map(here), environment }]
    }),
  )
}

function start(images: Readonly<Record<string, Container>>, service: Service, placed: Placed): Running {
  return images[service.target]!.start(service.command, given(service, placed))
}

/**
 * The volumes of a service are folders of their own here, which its user may write to. The state has another place:
 * where the image declares a volume, buildah mounts that one or ours, as it comes.
 */
function given({ environment, volumes }: Service, placed: Placed): Given {
  return {
    environment: { ...environment, FEDSVD_STATE_DIR: STATE },
    volumes: volumes.map((volume) => {
      const [from, ...to] = volume.replace(':/var/lib/fedsvd', `:${STATE}`).split(':')
      return [folderOf(placed, from!.replace(/^\.\//, '')), ...to].join(':')
    }),
  }
}

function folderOf({ folder }: Placed, name: string): string {
  const made = path.join(folder, name)
  mkdirSync(made, { recursive: true })
  chownSync(made, USER, USER)
  return made
}

function writeRecords(folder: string): void {
  const kinds = [
    { label: 'ham', words: ['meeting', 'patch', 'kernel', 'report', 'tomorrow'] },
    { label: 'spam', words: ['winner', 'offer', 'free', 'credit', 'urgent'] },
  ]
  const records = Array.from({ length: RECORDS }, (_, at) => {
    const { label, words } = kinds[at % kinds.length]!
    return JSON.stringify({ label, text: `${words[at % words.length]} ${words[(at * 3) % words.length]} number ${at}` })
  })
  writeFileSync(path.join(folder, 'records.jsonl'), `${records.join('\n')}\n`)
}

/** The health check is given the command: in a chroot the first process is not the container's. */
async function healthy(
  images: Readonly<Record<string, Container>>,
  { target, healthcheck = [], command }: Service,
  server: Running,
): Promise<void> {
  const deadline = Date.now() + START_LIMIT_MS
  for (;;) {
    try {
      images[target]!.program([...healthcheck, ...command])
      return
    } catch (error) {
      if (server.hasEnded() || Date.now() > deadline) throw new Error(`${error}\n${server.printed()}`)
      await pause(500)
    }
  }
}

async function completed(url: string, runId: string, running: readonly Running[]): Promise<RunSnapshot> {
  const deadline = Date.now() + RUN_LIMIT_MS
  for (;;) {
    const run = await get<RunSnapshot>(url, `/v1/runs/${runId}`, OPERATOR_TOKEN)
    if (run.state === 'completed') return run
    const isOver = run.state === 'failed' || run.state === 'stopped' || running.some((one) => one.hasEnded())
    if (isOver || Date.now() > deadline) {
      const logs = running.map((one) => one.printed()).join('\n\n')
      throw new Error(`expected the run to complete, got ${run.state} (${run.reason ?? 'no reason'})\n${logs}`)
    }
    await pause(1000)
  }
}

function tokenOf(site: string): string {
  return `${site.toUpperCase()}_TOKEN`
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
