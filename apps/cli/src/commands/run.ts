import { writeFile } from 'node:fs/promises'
import { FedsvdError } from '@fedsvd/core/errors'
import { TASKS } from '@fedsvd/core/lora'
import type { PlanChange } from '@fedsvd/core/protocol'
import { Command, Option } from 'commander'
import { type AccessOptions, accessOf, withAccess } from '../access.ts'
import { jsonSchemaOf } from '../config-file/index.ts'
import { changePlan, fetchRuns, moveRun, priceRun } from '../coordinator-requests.ts'
import { EXIT } from '../exit-codes.ts'
import { fetchRun, type OperatorAccess, openRun } from '../operator-client.ts'
import { example, labelList, positiveInteger, positiveNumber, probability } from '../options.ts'
import { fail, type Output, outputFor } from '../output.ts'
import { requestOf } from '../run/clone.ts'
import { outcomeOfRun } from '../run/outcome.ts'
import { priceText, readiness } from '../run/price-text.ts'
import { type RunFlags, requestAt, runConfigOf } from '../run/request.ts'
import { runNamed } from '../run/run-named.ts'
import { runsText, runText } from '../run/run-text.ts'
import { watchRun } from '../run/watch.ts'
import { RUN_SCHEMA, runConfigSchema } from '../run-config/index.ts'

type Options<T = object> = AccessOptions & { readonly json?: boolean; readonly quiet?: boolean } & T

interface CreateOptions extends RunFlags {
  readonly config?: string
  readonly dryRun?: boolean
  readonly watch?: boolean
}

const RUN = '3f2504e0-4f89-41d3-9a0c-0305e82c3301'
const A_RUN = 'name of the run, its identifier, or the first characters of that'

/** `fedsvd run`: what an operator does with runs. */
export function runCommand(): Command {
  return new Command('run')
    .addCommand(
      withAccess(
        withRunFlags(
          new Command('create')
            .description('Open a run: from a file, from the options, or from both, where the options count first.')
            .option('--config <file>', 'run configuration, YAML or JSON; - for standard input'),
        ),
      )
        .option('--dry-run', 'open nothing: price the run for each site, and say who can take part and why not')
        .option('--watch', 'stay, and print a line for each change until the run has ended')
        .option('--json', 'print the manifest, or the prices, as JSON')
        .addHelpText(
          'after',
          example(
            'fedsvd run create --config run.yaml --dry-run',
            'fedsvd run create --name reviews --labels bad,good --epsilon 6 --watch',
          ),
        )
        .action(create),
    )
    .addCommand(
      new Command('schema')
        .description('Print the JSON schema of a run configuration, by which editors complete and check it.')
        .option('--out <file>', 'write it there instead')
        .option('--json', 'the same; a schema is JSON')
        .addHelpText('after', example('fedsvd run schema --out run-configuration.schema.json'))
        .action(schema),
    )
    .addCommand(
      withAccess(new Command('list').description('List the runs, the newest first.'))
        .option('--json', 'print each run as a line of JSON')
        .addHelpText('after', example('fedsvd run list'))
        .action(list),
    )
    .addCommand(
      onRun('show', 'Show a run: its state, its sites with what they have spent, and its alerts.', 'print the run')
        .addHelpText('after', example(`fedsvd run show reviews`, `fedsvd run show ${RUN} --json`))
        .action(show),
    )
    .addCommand(
      onRun('watch', 'Print a line for each change of a run until it has ended.', 'print each change as a line of')
        .addHelpText('after', example('fedsvd run watch reviews', 'fedsvd run watch reviews --json | jq .accuracy'))
        .action(watch),
    )
    .addCommand(
      onRun('pause', 'Let a run stand still; its round goes on when it is resumed.')
        .addHelpText('after', example('fedsvd run pause reviews'))
        .action(mover('pause')),
    )
    .addCommand(
      onRun('resume', 'Go on with a paused run where it stood.')
        .addHelpText('after', example('fedsvd run resume reviews'))
        .action(mover('resume')),
    )
    .addCommand(
      onRun('extend', 'Change the plan of a run from its next round on. It raises no site’s budget.')
        .option('--rounds <count>', 'rounds in all', positiveInteger)
        .option('--clients-per-round <count>', 'sites asked in a round', positiveInteger)
        .option('--quorum <count>', 'updates that close a round', positiveInteger)
        .option('--deadline-seconds <seconds>', 'how long a round waits for them', positiveNumber)
        .addHelpText('after', example('fedsvd run extend reviews --rounds 12'))
        .action(extend),
    )
    .addCommand(
      onRun('stop', 'End a run for good. Privacy that was spent is not returned.')
        .addHelpText('after', example('fedsvd run stop reviews'))
        .action(mover('stop')),
    )
    .addCommand(
      onRun('clone', 'Open a run with the terms of an earlier one.')
        .requiredOption('--name <name>', 'name of the new run')
        .option('--rounds <count>', 'another number of rounds', positiveInteger)
        .option('--learning-rate <number>', 'another step size', positiveNumber)
        .option('--epsilon <number>', 'another budget asked of each site', positiveNumber)
        .option('--seed <text>', 'another public seed')
        .option('--dry-run', 'open nothing: price the run for each site')
        .addHelpText('after', example('fedsvd run clone reviews --name "reviews, slower" --learning-rate 4'))
        .action(clone),
    )
}

function withRunFlags(command: Command): Command {
  return command
    .option('--name <name>', 'how the run is shown; sites see it too')
    .option('--model <name>', 'the frozen checkpoint (default: starter)')
    .addOption(new Option('--task <task>', 'what it is trained for (default: sequence-classification)').choices(TASKS))
    .option('--labels <labels>', 'names of the classes or tags, with commas', labelList)
    .option('--epsilon <number>', 'what each site is asked to spend at most', positiveNumber)
    .option('--delta <number>', 'at most one over the records of every site (default: 1e-5)', probability)
    .option('--rounds <count>', 'number of rounds (default: by the model)', positiveInteger)
    .option('--learning-rate <number>', 'step size (default: by the model)', positiveNumber)
    .option('--clients-per-round <count>', 'sites asked in a round (default: all)', positiveInteger)
    .option('--quorum <count>', 'updates that close a round (default: seven in ten of these)', positiveInteger)
}

function onRun(name: string, description: string, json = 'print the run'): Command {
  return withAccess(new Command(name).description(description).argument('<run>', A_RUN)).option(
    '--json',
    `${json} as JSON`.replace('of as JSON', 'of JSON'),
  )
}

async function create(options: Options<CreateOptions>): Promise<void> {
  const output = outputFor(options)
  const { config: file, dryRun, watch: stays } = options
  const config = runConfigOf(file, flagsOf(options)) // before anybody is asked for a token
  const access = await accessOf(options)
  const { request, enrolled } = await requestAt(access, config)
  if (dryRun) return await price(access, request, output)
  const manifest = await openRun(access, request)
  output.record(manifest)
  output.line(`run ${manifest.runId} is open: "${manifest.name}", ${manifest.rounds} rounds on ${manifest.model.name}`)
  if (enrolled < manifest.quorum) {
    warn(`the run waits: a round needs ${manifest.quorum}, and enrolled are ${enrolled} (fedsvd token create)`)
  }
  if (stays) await follow(access, manifest.runId, output)
  else output.line(`fedsvd run watch ${manifest.runId} shows how it goes on`)
}

async function price(access: OperatorAccess, request: Parameters<typeof priceRun>[1], output: Output): Promise<void> {
  const prices = await priceRun(access, request)
  const { canBegin } = readiness(prices)
  output.record({ request, canBegin, ...prices })
  output.line(priceText(prices, request))
  if (!canBegin) process.exitCode = EXIT.conflict
}

function flagsOf({
  name,
  model,
  task,
  labels,
  epsilon,
  delta,
  rounds,
  learningRate,
  clientsPerRound,
  quorum,
}: RunFlags): RunFlags {
  const flags = { name, model, task, labels, epsilon, delta, rounds, learningRate, clientsPerRound, quorum }
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined))
}

async function schema(options: { readonly out?: string }): Promise<void> {
  const text = `${JSON.stringify(jsonSchemaOf(runConfigSchema, RUN_SCHEMA), null, 2)}\n`
  if (options.out === undefined) process.stdout.write(text)
  else await writeFile(options.out, text)
}

async function list(options: Options): Promise<void> {
  const output = outputFor(options)
  const runs = await fetchRuns(await accessOf(options))
  for (const run of runs) output.record(run)
  output.line(runsText(runs))
}

async function show(given: string, options: Options): Promise<void> {
  const access = await accessOf(options)
  report(await fetchRun(access, await runNamed(access, given)), options)
}

async function watch(given: string, options: Options): Promise<void> {
  const access = await accessOf(options)
  await follow(access, await runNamed(access, given), outputFor(options))
}

async function follow(access: OperatorAccess, id: string, output: Output): Promise<void> {
  const { exitCode, error } = outcomeOfRun(await watchRun(access, id, output))
  if (error !== undefined) fail(error, output.json)
  process.exitCode = exitCode
}

const mover =
  (move: 'pause' | 'resume' | 'stop') =>
  async (given: string, options: Options): Promise<void> => {
    const access = await accessOf(options)
    report(await moveRun(access, await runNamed(access, given), move), options)
  }

async function extend(given: string, options: Options<PlanChange>): Promise<void> {
  const { rounds, clientsPerRound, quorum, deadlineSeconds } = options
  const change = {
    ...(rounds !== undefined && { rounds }),
    ...(clientsPerRound !== undefined && { clientsPerRound }),
    ...(quorum !== undefined && { quorum }),
    ...(deadlineSeconds !== undefined && { deadlineSeconds }),
  }
  if (Object.keys(change).length === 0) throw nothingToChange()
  const access = await accessOf(options)
  report(await changePlan(access, await runNamed(access, given), change), options)
}

function nothingToChange(): FedsvdError {
  return new FedsvdError('CONFIG_INVALID', {
    expected: 'what is to be otherwise',
    got: 'no option that changes the plan',
    remedy: 'Give --rounds, --clients-per-round, --quorum or --deadline-seconds.',
  })
}

interface CloneOptions {
  readonly name: string
  readonly rounds?: number
  readonly learningRate?: number
  readonly epsilon?: number
  readonly seed?: string
  readonly dryRun?: boolean
}

async function clone(given: string, options: Options<CloneOptions>): Promise<void> {
  const output = outputFor(options)
  const access = await accessOf(options)
  const { manifest } = await fetchRun(access, await runNamed(access, given))
  const { name, rounds, learningRate, epsilon, seed, dryRun } = options
  const earlier = requestOf(manifest)
  const request = {
    ...earlier,
    name,
    ...(rounds !== undefined && { rounds }),
    ...(learningRate !== undefined && { learningRate }),
    ...(seed !== undefined && { seed }),
    target: { ...earlier.target, ...(epsilon !== undefined && { epsilon }) },
  }
  if (dryRun) return await price(access, request, output)
  const made = await openRun(access, request)
  output.record(made)
  output.line(`run ${made.runId} is open: "${made.name}", with the terms of "${manifest.name}"`)
}

function report(run: Awaited<ReturnType<typeof fetchRun>>, options: Options): void {
  const output = outputFor(options)
  output.record(run)
  output.line(runText(run))
}

function warn(text: string): void {
  process.stderr.write(`${text}\n`)
}
