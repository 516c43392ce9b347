import { Command, InvalidArgumentError, Option } from 'commander'
import { DATA_FORMATS, type DataOptions, readOptionsOf, withDataOptions } from '../data-options.ts'
import { clockTime } from '../join/pace.ts'
import { type ModelOptions, modelSettingsOf, withModelOptions } from '../model-options.ts'
import { collect, example, positiveInteger, probability } from '../options.ts'
import { outputFor, table } from '../output.ts'
import type { Cell, CellResult, Pace, Summary } from '../simulation/index.ts'
import { AT_ONCE, untilSignal } from '../until-signal.ts'

interface SimulateOptions extends DataOptions, ModelOptions {
  readonly config: string
  readonly data: readonly string[]
  readonly clients?: number
  readonly partition: string
  readonly holdOut?: readonly string[]
  readonly holdOutShare?: number
  readonly seeds: string
  readonly method?: readonly string[]
  readonly declaredRecords: 'own' | number
  readonly out: string
  readonly resume?: boolean
  readonly jobs: number
  readonly threads: number
  readonly extension?: readonly string[]
  readonly worker?: boolean
  readonly json?: boolean
}

/** `fedsvd simulate`: federations in one process, to try settings on public data. */
export function simulateCommand(): Command {
  const command = new Command('simulate')
    .option('--config <file>', 'run configuration, with an optional grid: values to be tried for some of its keys')
    .option('--data <path>', `public records: ${DATA_FORMATS}; once for each file of the set`, collect)
    .option('--clients <count>', 'sites that the records come to', positiveInteger)
    .option('--partition <kind>', 'iid, dirichlet:0.5 (by label), shards:2 or column:NAME', 'iid')
    .option('--hold-out <path>', 'records to measure on, once for each file; default: a share of the data', collect)
    .option(
      '--hold-out-share <share>',
      'share of the data to measure on, others under each seed (default: 0.2)',
      probability,
    )
    .option('--seeds <numbers>', 'such as 1..5: of hold-out, partition, lots and noise', '1')
    .option('--method <names>', 'methods with commas between them, in place of the one of the configuration', words)
    .option(
      '--declared-records <count>',
      'what each site declares: a number, or "own" for its own count to two digits',
      declared,
      'own',
    )
    .option('--out <folder>', 'folder of the results', 'simulation')
    .option('--resume', 'go on with the results in that folder: finished cells are not run again')
    .option('--jobs <count>', 'processes that compute at a time', positiveInteger, 1)
    .option('--threads <count>', 'threads of each of them', positiveInteger, 1)
    .option('--extension <file>', 'module that adds rules, methods, initialisers or models; once for each', collect)
    .addOption(new Option('--worker', 'take cells from the process that asks').hideHelp())
    .option('--json', 'print each finished cell and the summary as JSON')
  withDataOptions(command)
  withModelOptions(command)
  return command
    .addHelpText(
      'after',
      example(
        'fedsvd simulate --config run.yaml --data public.csv --clients 100 --partition dirichlet:0.5 --seeds 1..5',
        'fedsvd simulate --config run.yaml --data public.csv --clients 20 --method fedsvd,ffa-lora --jobs 4 --out trial',
      ),
    )
    .action(async (options: SimulateOptions) => {
      if (options.worker === true) await work()
      else await run(options, command)
    })
}

/** Computes cells for the process that started this one. */
async function work(): Promise<void> {
  const { serveRunner } = await import('../simulation/index.ts')
  const stopped = new AbortController()
  const reason = new Error('the simulation was stopped')
  await untilSignal(serveRunner(stopped.signal), () => stopped.abort(reason))
  process.disconnect?.()
}

async function run(options: SimulateOptions, command: Command): Promise<void> {
  for (const needed of ['config', 'data'] as const) {
    if (options[needed] === undefined) command.error(`error: required option '--${needed}' not specified`)
  }
  const { simulate } = await import('../simulation/index.ts') // a coordinator is in it, which --help does not need
  const output = outputFor(options)
  const line = new ProgressLine(process.stderr, output.json)
  const stopped = new AbortController()
  let isStopped = false
  const { method, declaredRecords, holdOut, holdOutShare, clients, extension, ...rest } = options
  const running = simulate({
    config: rest.config,
    data: rest.data,
    reading: readOptionsOf(options),
    clients,
    partition: rest.partition,
    holdOut,
    holdOutShare,
    seeds: rest.seeds,
    methods: method,
    declaredRecords,
    out: rest.out,
    resume: rest.resume,
    jobs: rest.jobs,
    threads: rest.threads,
    models: modelSettingsOf(options),
    extension,
    signal: stopped.signal,
    onPace: (pace) => line.show(pace),
    onFinished: (cell, result) => {
      line.clear()
      output.line(cellText(cell, result))
      output.record({ event: 'cell', ...placeOf(cell), ...result })
    },
    onFailed: ({ cell, error }) => {
      line.clear()
      output.line(`${nameOf(cell)}  failed: ${error.message}`)
      output.record({ event: 'cell-failed', ...placeOf(cell), error: error.toJSON() })
    },
  })
  await untilSignal(running, () => {
    isStopped = true
    stopped.abort(new Error('the simulation was stopped'))
  })
  const { summary, finished, failed, cells, leftOutRows, csv, report } = await running
  line.clear()
  if (leftOutRows > 0) output.line(`${leftOutRows} rows of the files are no records, and were left out`)
  if (finished.length > 0) output.line(`\n${summaryText(summary)}`)
  output.line(`\n${finished.length} of ${cells} cells: ${csv}, ${report}`)
  output.line('simulation: lots and noise are drawn from the seeds, so there is no privacy')
  output.record({ event: 'summary', cells, finished: finished.length, failed: failed.length, ...summary, csv, report })
  if (isStopped) {
    output.line('stopped; add --resume to go on')
    process.exitCode = AT_ONCE
  } else if (failed.length > 0) process.exitCode = 1
}

function placeOf({ point, seed, request }: Cell) {
  return { setting: { method: request.method, ...point }, seed }
}

function nameOf({ point, seed, request }: Cell): string {
  const own = Object.entries(point).filter(([key]) => key !== 'method')
  return [request.method, ...own.map(([key, value]) => `${key} ${String(value)}`), `seed ${seed}`].join(', ')
}

function cellText(cell: Cell, { rounds, seconds, declined, reason }: CellResult): string {
  const last = rounds.at(-1)
  const measured = last?.accuracy === undefined ? 'not measured' : `accuracy ${last.accuracy.toFixed(4)}`
  const note = declined > 0 ? `  ${declined} sites declined: ${reason}` : ''
  return `${nameOf(cell)}  ${measured}  epsilon ${(last?.epsilon ?? 0).toFixed(3)}  ${seconds.toFixed(1)} s${note}`
}

/** The settings over their seeds, as a table. */
function summaryText({ settings, measure, majority }: Summary): string {
  const number = (value: number | undefined): string => (value === undefined ? '-' : value.toFixed(4))
  const rows = settings.map(({ name, seeds, last, difference, epsilon }) => [
    name,
    seeds.length,
    number(last.mean),
    number(last.standardError),
    number(difference?.mean),
    difference?.interval === undefined ? '-' : difference.interval.map(number).join(' to '),
    epsilon.toFixed(3),
  ])
  const heading = ['setting', 'seeds', measure, 'std. error', 'difference', '95 % interval', 'epsilon']
  const guessed = majority === undefined ? '' : `\nguessing the largest class: ${majority.mean.toFixed(4)}`
  return `${table([heading, ...rows])}${guessed}`
}

/** How far it is, on one line of a terminal that is written over. */
class ProgressLine {
  readonly #stream: NodeJS.WriteStream
  readonly #isShown: boolean
  #length = 0

  constructor(stream: NodeJS.WriteStream, json: boolean) {
    this.#stream = stream
    this.#isShown = stream.isTTY && !json
  }

  show({ cells, of, secondsLeft }: Pace): void {
    if (!this.#isShown) return
    const text = `${cells} of ${of} cells, ${clockTime(secondsLeft)} left`
    this.#stream.write(`\r${text.padEnd(this.#length)}`)
    this.#length = text.length
  }

  clear(): void {
    if (this.#length > 0) this.#stream.write(`\r${' '.repeat(this.#length)}\r`)
    this.#length = 0
  }
}

function words(text: string): readonly string[] {
  const found = text.split(',').map((word) => word.trim())
  if (found.every(Boolean) && new Set(found).size === found.length) return found
  throw new InvalidArgumentError('Expected different names with commas between them, such as fedsvd,ffa-lora.')
}

function declared(text: string): 'own' | number {
  return text === 'own' ? 'own' : positiveInteger(text)
}
