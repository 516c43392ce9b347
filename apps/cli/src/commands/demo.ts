import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { FedsvdError } from '@fedsvd/core/errors'
import type { RunSnapshot } from '@fedsvd/core/protocol'
import { makeFolder } from '@fedsvd/engine/files'
import { lockFile } from '@fedsvd/engine/files/locks'
import { Command, Option } from 'commander'
import { Children } from '../demo/children.ts'
import { type DemoData, prepareDemoData } from '../demo/data.ts'
import { KEEP_HINT, lookText, signInLink } from '../demo/keep.ts'
import { type DemoSummary, RoundPrinter, summarise, summaryText } from '../demo/report.ts'
import { DEMO_BUDGET, demoRun } from '../demo/settings.ts'
import { exportRun } from '../export-run.ts'
import { createEnrolmentTokens, createRun, followRun, type OperatorAccess } from '../operator-client.ts'
import { example, positiveInteger } from '../options.ts'
import { type Output, outputFor } from '../output.ts'
import { untilSignal } from '../until-signal.ts'

/** Marks a folder as one that a demo may empty. */
const LOCK = 'fedsvd-demo.lock'

interface DemoOptions {
  readonly quick?: boolean
  readonly json?: string | boolean
  readonly dir: string
  readonly head: 'trained' | 'frozen'
  readonly seed: string
  readonly rounds?: number
  readonly keep?: boolean
}

/** `fedsvd demo`: the main job on one machine: a coordinator and three clients as processes of their own. */
export function demoCommand(): Command {
  return new Command('demo')
    .option('--quick', 'two short rounds, for tests')
    .option('--json [file]', 'write the summary as JSON to a file, or to standard output')
    .option('--dir <folder>', 'where the demo keeps its files; emptied at the start', '.fedsvd/demo')
    .option('--keep', 'leave the coordinator running afterwards, to be looked at in a browser')
    .option('--rounds <count>', 'another number of rounds', positiveInteger)
    .option('--seed <text>', 'seed of the public initialisation', 'fedsvd')
    .addOption(new Option('--head <mode>', 'the classification head').choices(['trained', 'frozen']).default('trained'))
    .addHelpText('after', example('fedsvd demo', 'fedsvd demo --keep', 'fedsvd demo --quick --json summary.json'))
    .action(async (options: DemoOptions) => {
      const output = outputFor({ json: options.json === true })
      await demo(options, output, async (summary) => {
        if (typeof options.json === 'string') await writeFile(options.json, `${JSON.stringify(summary, null, 2)}\n`)
        output.record(summary)
      })
    })
}

/** The demo's processes talk over loopback, so proxy settings do not apply to them. */
function reachLoopbackDirectly(env: NodeJS.ProcessEnv): void {
  const named = env.no_proxy || env.NO_PROXY
  env.no_proxy = env.NO_PROXY = [...(named ? [named] : []), '127.0.0.1'].join(',')
}

async function demo(options: DemoOptions, output: Output, onSummary: (summary: DemoSummary) => Promise<void>) {
  const started = performance.now()
  const seconds = () => (performance.now() - started) / 1000
  const folder = resolve(options.dir)
  using _claim = await claimFolder(folder)
  const data = await prepareDemoData(join(folder, 'data'))
  output.line('fedsvd demo: three mail archives train one spam filter, and no message leaves its archive.\n')
  output.line(data.text)

  reachLoopbackDirectly(process.env)
  await using children = new Children()
  const access = await startCoordinator(children, folder, data.holdOut)
  const defaults = demoRun({ quick: options.quick ?? false, headMode: options.head, seed: options.seed })
  const runId = await createRun(access, { ...defaults, rounds: options.rounds ?? defaults.rounds })
  const tokens = await createEnrolmentTokens(access, data.clients.length)
  for (const [index, client] of data.clients.entries()) {
    startClient(children, folder, access, client, tokens[index]!)
  }
  output.line(`run ${runId} at ${access.url}\n`)

  const printer = new RoundPrinter((line) => output.line(line))
  const last = await lastSnapshot(access, runId, children, (snapshot) => printer.show(snapshot, seconds()))
  if (last.state !== 'completed') {
    throw new FedsvdError('RUN_STATE', {
      expected: 'the run to complete',
      got: `${last.state} (${last.reason ?? 'no reason given'})`,
      remedy: `Read the logs in ${folder}`,
    })
  }
  const adapter = join(folder, 'adapter')
  await exportRun(access, runId, { format: 'peft', folder: adapter })
  const summary = summarise(last, adapter, seconds())
  output.line(`\n${summaryText(summary)}`)
  if (options.keep !== true) {
    output.line(`\n${KEEP_HINT}`)
    return await onSummary(summary)
  }
  const signIn = await signInLink(access)
  output.line(`\n${await lookText(access.url, signIn)}`)
  await onSummary({ ...summary, dashboard: access.url, signIn })
  await untilSignal(children.failure)
}

/**
 * Makes or empties the folder of a demo and keeps other demos out of it. What is not a demo's folder is left alone.
 *
 * @throws FedsvdError FOLDER_IN_USE
 */
async function claimFolder(folder: string): Promise<Disposable> {
  const inUse = (got: string) =>
    new FedsvdError('FOLDER_IN_USE', {
      expected: `${folder} to be free for a demo`,
      got,
      remedy: 'Choose another --dir; nothing was changed.',
    })
  makeFolder(folder)
  const names = await readdir(folder)
  if (names.length > 0 && !names.includes(LOCK)) throw inUse('a folder with other files in it')
  const lock = lockFile(join(folder, LOCK), (holder) => inUse(`the demo of ${holder} in it`))
  for (const name of names) {
    if (name !== LOCK) await rm(join(folder, name), { recursive: true, force: true })
  }
  return lock
}

async function startCoordinator(children: Children, folder: string, holdOut: string): Promise<OperatorAccess> {
  const args = ['serve', '--port', '0', '--state-dir', join(folder, 'coordinator'), '--hold-out', holdOut]
  const { url } = await children.start('coordinator', args, join(folder, 'coordinator.log')).waitFor('listening')
  const token = await readFile(join(folder, 'coordinator', 'operator.token'), 'utf8') // readable by its owner only
  return { url: String(url), token: token.trim() }
}

function startClient(
  children: Children,
  folder: string,
  { url }: OperatorAccess,
  { name, file, declaredRecords }: DemoData['clients'][number],
  token: string,
): void {
  const { epsilon, delta } = DEMO_BUDGET
  const own = ['--name', name, '--data', file, '--state-dir', join(folder, name)]
  children.start(
    name,
    [
      'join',
      url,
      ...own,
      '--declared-records',
      String(declaredRecords),
      '--no-release-grid', // three sites share the cores of one machine: none of them could keep its slots
      '--epsilon',
      String(epsilon),
      '--delta',
      String(delta),
      '--once',
    ],
    join(folder, `${name}.log`),
    { FEDSVD_ENROLMENT_TOKEN: token },
  )
}

/** Resolves with the last snapshot of a run when it has ended; rejects when one of the processes fails before that. */
async function lastSnapshot(
  access: OperatorAccess,
  runId: string,
  children: Children,
  onChange: (snapshot: RunSnapshot) => void,
): Promise<RunSnapshot> {
  using run = followRun(access, runId, onChange)
  return await Promise.race([run.ended, children.failure])
}
