import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import { issueInWords } from '@fedsvd/core/protocol'
import type { ReadOptions } from '@fedsvd/engine/datasets'
import type { ModelSettings } from '@fedsvd/engine/models'
import type { z } from 'zod'
import { CellFiles } from './cell-files.ts'
import type { Cell, Experiment, HoldOut } from './experiment.ts'
import { experimentConfigSchema, readExperimentConfig } from './experiment-config.ts'
import { Laboratory } from './laboratory.ts'
import { parsePartition, partitionText } from './partition.ts'
import { reportPage } from './report-page.ts'
import { rowsAsCsv } from './rows.ts'
import type { CellResult } from './run-cell.ts'
import { type FailedCell, type Outcome, type Pace, runCells } from './run-cells.ts'
import { runnerElsewhere, runnerHere } from './runners.ts'
import { parseSeeds } from './seeds.ts'
import type { Declaring } from './sites.ts'
import { type Summary, summarise } from './summary.ts'

/** An experiment: federations in this process, on public data. Nothing in it is private. */
export interface SimulationSettings {
  /** A run configuration with an optional `grid`: the path of a YAML or JSON file, or what it would hold. */
  readonly config: string | z.input<typeof experimentConfigSchema>
  /** Files of public records. */
  readonly data: string | readonly string[]
  /** How they are read. */
  readonly reading?: ReadOptions
  /** How many sites the records come to; by default one for each value of the column of a partition by column. */
  readonly clients?: number | undefined
  /** `iid`, `dirichlet:0.5`, `shards:2` or `column:NAME`; default: `iid`. */
  readonly partition?: string | undefined
  /** Files of public records to measure on, in place of a share of the data. */
  readonly holdOut?: string | readonly string[] | undefined
  /** Share of the data to measure on, another one under each seed; default: 0.2. */
  readonly holdOutShare?: number | undefined
  /** Such as `1..5`; default: 1. */
  readonly seeds?: string | readonly number[] | undefined
  /** In place of the method of the configuration. */
  readonly methods?: readonly string[] | undefined
  /** What each site declares: a number for all of them, or its own count to two digits; default: `own`. */
  readonly declaredRecords?: Declaring | undefined
  /** Folder of the results; default: `simulation`. */
  readonly out?: string | undefined
  /** Go on with the results in that folder. */
  readonly resume?: boolean | undefined
  /** Processes that compute at a time; default: 1, this one. */
  readonly jobs?: number | undefined
  /** Threads of each of them; default: 1. */
  readonly threads?: number | undefined
  readonly models?: ModelSettings | undefined
  readonly extension?: readonly string[] | undefined
  readonly signal?: AbortSignal | undefined
  onPace?(pace: Pace): void
  onFinished?(cell: Cell, result: CellResult): void
  onFailed?(failed: FailedCell): void
}

/** What an experiment has come to. */
export interface SimulationResult extends Outcome {
  readonly summary: Summary
  /** Cells in all; fewer are finished where some failed, or where it was interrupted. */
  readonly cells: number
  /** Rows that are no records, and are left out. */
  readonly leftOutRows: number
  /** One row for each round of each cell. */
  readonly csv: string
  /** The page with tables and a chart. */
  readonly report: string
}

/**
 * Runs federations in this process: for each setting of the configuration and each seed the coordinator's rounds, the
 * sites' private rounds and their ledgers as they are in a live federation. No budget of this machine is touched.
 *
 * Noise follows from the seed, so that settings can be compared pair by pair: what is trained protects nobody.
 *
 * @throws FedsvdError CONFIG_INVALID, DATA_UNREADABLE, DATA_EMPTY, before anything is run; a cell that fails is told of
 */
export async function simulate(settings: SimulationSettings): Promise<SimulationResult> {
  const { out = 'simulation', resume = false, jobs = 1, signal = new AbortController().signal } = settings
  const experiment = experimentOf(settings)
  await using laboratory = await Laboratory.open(experiment)
  const cells = await laboratory.cells()
  const files = new CellFiles(out, { resume })
  mkdirSync(out, { recursive: true })
  writeFileSync(join(out, 'experiment.json'), `${JSON.stringify(storedForm(experiment), null, 2)}\n`)
  const [csv, report] = [join(out, 'rows.csv'), join(out, 'report.html')]
  const write = ({ finished, failed }: Outcome): void => {
    writeFileSync(csv, rowsAsCsv(finished))
    const about = { ...experiment, records: laboratory.records, cells: cells.length, failed: failed.length }
    writeFileSync(report, reportPage(summarise(finished), about))
  }
  const missing = cells.filter((cell) => files.find(cell) === undefined).length
  const processes = Math.max(1, Math.min(jobs, missing))
  const runners =
    processes === 1
      ? [runnerHere(laboratory, signal)]
      : Array.from({ length: processes }, () => runnerElsewhere(experiment))
  const stop = (): void => void Promise.all(runners.map((runner) => runner[Symbol.asyncDispose]()))
  signal.addEventListener('abort', stop, { once: true })
  try {
    const outcome = await runCells(
      cells,
      { runners, files, signal },
      {
        onPace: (pace) => settings.onPace?.(pace),
        onFinished: (cell, result, soFar) => {
          write(soFar)
          settings.onFinished?.(cell, result)
        },
        onFailed: (failed) => settings.onFailed?.(failed),
      },
    )
    write(outcome)
    const summary = summarise(outcome.finished)
    return { ...outcome, summary, cells: cells.length, leftOutRows: laboratory.leftOutRows, csv, report }
  } finally {
    signal.removeEventListener('abort', stop)
    await Promise.all(runners.map((runner) => runner[Symbol.asyncDispose]()))
  }
}

function experimentOf(settings: SimulationSettings): Experiment {
  const { config, data, reading = {}, clients, partition = 'iid', holdOut, holdOutShare, seeds = '1' } = settings
  const { methods = [], declaredRecords = 'own', threads = 1, models, extension = [] } = settings
  return {
    config: typeof config === 'string' ? readExperimentConfig(config) : checkedConfig(config),
    methods,
    seeds: parseSeeds(typeof seeds === 'string' ? seeds : seeds.join(',')),
    data: [data].flat(),
    reading,
    holdOut: holdOutOf(holdOut, holdOutShare),
    partition: parsePartition(partition),
    clients,
    declared: declaredRecords,
    models: models ?? { models: join('.fedsvd', 'models') },
    extension,
    threads,
  }
}

function holdOutOf(files: SimulationSettings['holdOut'], share: number | undefined): HoldOut {
  if (files !== undefined && share !== undefined) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: 'files to measure on, or a share of the data',
      got: 'both',
      remedy: 'Leave --hold-out or --hold-out-share out.',
    })
  }
  if (files !== undefined) return { files: [files].flat() }
  const part = share ?? 0.2
  if (part > 0 && part < 1) return { share: part }
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'a share between 0 and 1 to measure on',
    got: String(part),
    remedy: 'Correct --hold-out-share.',
  })
}

function checkedConfig(config: z.input<typeof experimentConfigSchema>): Experiment['config'] {
  const found = experimentConfigSchema.safeParse(config)
  if (found.success) return found.data
  const [issue] = found.error.issues
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `a valid ${issue?.path.join('.') || 'configuration'}`,
    got: issue === undefined ? 'an invalid value' : issueInWords(issue, config),
    remedy: 'Correct the configuration: docs/reference/run-configuration.md has every key.',
  })
}

/** What was asked, to look it up later: without the access token of a hub. */
function storedForm({ models, partition, ...rest }: Experiment): object {
  return { ...rest, partition: partitionText(partition), models: models.models }
}
