import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { FedsvdError } from '@fedsvd/core/errors'
import type { RunSnapshot } from '@fedsvd/core/protocol'
import { Command, Option } from 'commander'
import { type Child, Children } from '../demo/children.ts'
import { prepareDemoData } from '../demo/data.ts'
import { RoundPrinter, summarise, summaryText } from '../demo/report.ts'
import { DEMO_BUDGET, demoRun } from '../demo/settings.ts'
import { exportAdapter } from '../export-adapter.ts'
import { createEnrolmentTokens, createRun, fetchRun, type OperatorAccess, watchRuns } from '../operator-client.ts'
import { example, positiveInteger } from '../options.ts'
import { type Output, outputFor } from '../output.ts'

interface DemoOptions {
  readonly quick?: boolean
  readonly json?: string | boolean
  readonly dir: string
  readonly head: 'trained' | 'frozen'
  readonly seed: string
  readonly rounds?: number
}

/** `fedsvd demo`: the main job on one machine: a coordinator and three clients as processes of their own. */
export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'Fine-tune a real encoder on real e-mail with a coordinator and three private clients, on this machine.',
    )
    .option('--quick', 'two short rounds, for tests')
    .option('--json [file]', 'write the summary as JSON to a file, or to standard output')
    .option('--dir <folder>', 'where the demo keeps its files; emptied at the start', '.fedsvd/demo')
    .option('--rounds <count>', 'another number of rounds', positiveInteger)
    .option('--seed <text>', 'seed of the public initialisation', 'fedsvd')
    .addOption(new Option('--head <mode>', 'the classification head').choices(['trained', 'frozen']).default('trained'))
    .addHelpText('after', example('fedsvd demo', 'fedsvd demo --quick --json summary.json'))
    .action(async (options: DemoOptions) => {
      const output = outputFor({ json: options.json === true })
      const summary = await demo(options, output)
      if (typeof options.json === 'string') await writeFile(options.json, `${JSON.stringify(summary, null, 2)}\n`)
      output.record(summary)
    })
}

async function demo(options: DemoOptions, output: Output) {
  const started = performance.now()
  const seconds = () => (performance.now() - started) / 1000
  const folder = resolve(options.dir)
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const data = await prepareDemoData(join(folder, 'data'))
  output.line('fedsvd demo: three mail archives train one spam filter, and no message leaves its archive.\n')
  output.line(data.text)

  await using children = new Children()
  const access = await startCoordinator(children, folder, data.holdOut)
  const defaults = demoRun({ quick: options.quick ?? false, headMode: options.head, seed: options.seed })
  const runId = await createRun(access, { ...defaults, rounds: options.rounds ?? defaults.rounds })
  const tokens = await createEnrolmentTokens(access, data.clients.length)
  const clients = data.clients.map(({ name, file }, index) =>
    startClient(children, folder, access, name, file, tokens[index]!),
  )
  output.line(`run ${runId} at ${access.url}\n`)

  const printer = new RoundPrinter((line) => output.line(line))
  const last = await followRun(access, runId, clients, (snapshot) => printer.show(snapshot, seconds()))
  if (last.state !== 'completed') {
    throw new FedsvdError('RUN_STATE', {
      expected: 'the run to complete',
      got: `${last.state} (${last.reason ?? 'no reason given'})`,
      remedy: `Read the logs in ${folder}`,
    })
  }
  const adapter = join(folder, 'adapter')
  await exportAdapter(access, runId, adapter)
  const summary = summarise(last, adapter, seconds())
  output.line(`\n${summaryText(summary)}`)
  return summary
}

async function startCoordinator(children: Children, folder: string, holdOut: string): Promise<OperatorAccess> {
  const args = ['serve', '--port', '0', '--state-dir', join(folder, 'coordinator'), '--hold-out', holdOut]
  const { url, operatorToken } = await children
    .start('coordinator', args, join(folder, 'coordinator.log'))
    .waitFor('listening')
  return { url: String(url), token: String(operatorToken) }
}

function startClient(
  children: Children,
  folder: string,
  { url }: OperatorAccess,
  name: string,
  file: string,
  token: string,
): Child {
  const { epsilon, delta } = DEMO_BUDGET
  const own = ['--name', name, '--data', file, '--state-dir', join(folder, name), '--token', token]
  return children.start(
    name,
    ['join', url, ...own, '--epsilon', String(epsilon), '--delta', String(delta), '--once'],
    join(folder, `${name}.log`),
  )
}

/** Resolves with the last snapshot of a run when it has ended; rejects when a client dies before that. */
async function followRun(
  access: OperatorAccess,
  runId: string,
  clients: readonly Child[],
  onChange: (snapshot: RunSnapshot) => void,
): Promise<RunSnapshot> {
  return await new Promise<RunSnapshot>((resolve, reject) => {
    const onSnapshot = (snapshot: RunSnapshot): void => {
      if (snapshot.runId !== runId) return
      onChange(snapshot)
      if (!['completed', 'stopped', 'failed'].includes(snapshot.state)) return
      watch[Symbol.dispose]()
      resolve(snapshot)
    }
    for (const client of clients) client.ended.catch(reject)
    const watch = watchRuns(access, onSnapshot)
    fetchRun(access, runId).then(onSnapshot, reject)
  })
}
