import {
  type ClientConfigInput,
  type ClientEvent,
  clientConfig,
  type NameOfClientSetting,
  type SiteEnding,
  startClient,
} from '@fedsvd/client'
import type { RunLimits, SitePolicy } from '@fedsvd/client/policy'
import { FedsvdError } from '@fedsvd/core/errors'
import { EXECUTION_PROVIDERS, RUNTIMES } from '@fedsvd/engine/settings'
import { Command, Option } from 'commander'
import { clientStateDir } from '../client-state-dir.ts'
import { DATA_FORMATS, type DataOptions, readOptionsOf, withDataOptions } from '../data-options.ts'
import { EXIT } from '../exit-codes.ts'
import { outcomeOf } from '../join/outcome.ts'
import { Progress } from '../join/progress.ts'
import { sentence } from '../join/sentences.ts'
import { warnOfMisspeltVariables } from '../misspelt-variables.ts'
import { type ModelOptions, modelSettingsOf, withModelOptions } from '../model-options.ts'
import { collect, example, labelList, optionOf, positiveInteger, positiveNumber, probability } from '../options.ts'
import { fail, type Output, outputFor } from '../output.ts'
import { printable } from '../printable.ts'
import { type SecretOption, secretOf, withSecret } from '../secret-option.ts'
import { siteConfigOption, withSiteConfig } from '../site-config/index.ts'
import { AT_ONCE, untilSignal } from '../until-signal.ts'

/** What a person gives by options, by variables or in the site configuration. */
interface JoinOptions extends DataOptions, ModelOptions {
  readonly config?: string
  readonly coordinator?: string
  readonly name?: string
  readonly data?: readonly string[]
  readonly stateDir: string
  readonly epsilon?: number
  readonly delta: number
  readonly budgetName?: string
  readonly disjointStatement?: string
  readonly renewal?: readonly string[]
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly declaredRecords?: number
  readonly declaredLabels?: readonly string[]
  readonly approval?: SitePolicy['approval']
  /** In the site configuration only. */
  readonly policy?: Partial<SitePolicy>
  readonly limits?: RunLimits
  readonly extension?: readonly string[]
  readonly threads: number
  readonly runtime: (typeof RUNTIMES)[number]
  readonly executionProvider: (typeof EXECUTION_PROVIDERS)[number]
  readonly releaseGrid: boolean
  readonly once?: boolean
  readonly maxWait?: number
  readonly json?: boolean
}

const ENROLMENT_TOKEN: SecretOption = {
  flag: '--token',
  env: 'FEDSVD_ENROLMENT_TOKEN',
  what: 'enrolment token, needed at the first start only',
}

/** `fedsvd join`: runs this site's client node. */
export function joinCommand(): Command {
  const command = new Command('join')
    .addOption(
      new Option('--data <path>', `records: ${DATA_FORMATS}; a pattern in quotes, or once for each file of the set`)
        .env('FEDSVD_DATA')
        .argParser(collect),
    )
    .argument('[coordinator]', 'address of the coordinator, such as https://fedsvd.example:7373')
    .addOption(siteConfigOption())
    .addOption(new Option('--name <name>', 'what operators call this site').env('FEDSVD_NAME'))
    .addOption(
      new Option('--epsilon <number>', 'life-time budget of this site, over everything that it trains on')
        .env('FEDSVD_EPSILON')
        .argParser(positiveNumber),
    )
    .addOption(
      new Option('--delta <number>', 'at most 1 / declared records')
        .env('FEDSVD_DELTA')
        .argParser(probability)
        .default(1e-5),
    )
    .addOption(clientStateDir('key, ledgers and outbox; keep it safe'))
    .option('--budget-name <name>', 'a budget of its own for data that share no people with any other of this site')
    .option('--disjoint-statement <file>', 'what the data owner signed for that, see fedsvd owner sign-disjoint')
    .addOption(
      new Option(
        '--renewal <file>',
        'a renewal of the budget that the data owner signed, see fedsvd owner renew; once for each, and each counts once',
      ).argParser(collect),
    )
    .addOption(new Option('--ca <file>', 'PEM authority of the coordinator’s certificate').env('FEDSVD_CA'))
    .addOption(new Option('--cert <file>', 'PEM certificate of this site, if asked for').env('FEDSVD_CERT'))
    .addOption(new Option('--key <file>', 'PEM private key of that certificate').env('FEDSVD_KEY'))
  return withModelOptions(withDataOptions(withSecret(command, ENROLMENT_TOKEN)))
    .addOption(
      new Option(
        '--declared-records <count>',
        'a public constant in place of the true number of records, chosen by hand',
      )
        .env('FEDSVD_DECLARED_RECORDS')
        .argParser(positiveInteger),
    )
    .addOption(
      new Option('--declared-labels <labels>', 'labels of the records, such as ham,spam: runs with others are declined')
        .env('FEDSVD_DECLARED_LABELS')
        .argParser(labelList),
    )
    .addOption(
      new Option(
        '--approval <how>',
        'ask: each run waits until fedsvd site approve signs for it; auto: what the policy allows is joined',
      )
        .env('FEDSVD_APPROVAL')
        .choices(['ask', 'auto']),
    )
    .option(
      '--no-release-grid',
      'send updates when they are made, and begin the first round of a run when its records are ready: how long training ' +
        'and encoding took then tells of the records (default: updates on public slots of time, records ready 1, 2, 4, 8 ' +
        '... seconds after their turn began)',
    )
    .addOption(
      new Option(
        '--extension <file>',
        'module that adds rules, methods, initialisers or models, as the coordinator has it; once for each',
      )
        .env('FEDSVD_EXTENSIONS')
        .argParser(collect),
    )
    .option('--threads <count>', 'threads of the engine', positiveInteger, 1)
    .addOption(
      new Option('--runtime <name>', 'what computes').env('FEDSVD_RUNTIME').choices(RUNTIMES).default('onnxruntime'),
    )
    .addOption(
      new Option('--execution-provider <name>', 'device of onnxruntime')
        .env('FEDSVD_EXECUTION_PROVIDER')
        .choices(EXECUTION_PROVIDERS)
        .default('cpu'),
    )
    .option('--once', 'end with the first run: when it is over, or when this site takes no part in it')
    .option(
      '--max-wait <seconds>',
      'give up when the coordinator does not answer for so long at the start',
      positiveNumber,
    )
    .option('--json', 'print events as lines of JSON')
    .addHelpText(
      'after',
      `\nExit codes: 0 the run is completed, or a signal; with --once ${EXIT.declined} this site declined, ${EXIT.stopped} the run\nwas stopped, ${EXIT.failed} it failed; ${EXIT.refused} the coordinator refused this site; ${AT_ONCE} ended at once by a second\nCtrl+C; any other is the kind of an error (docs/reference/commands.md).\nThe enrolment token is made by who runs the coordinator: on the page Clients of its dashboard, or by the API\n(docs/reference/protocol.md). It is for one site, once, and is needed at the first start only.`,
    )
    .addHelpText(
      'after',
      example(
        'fedsvd join https://fedsvd.example:7373 --name north-clinic --data notes.jsonl --declared-records 2000 --epsilon 6 --delta 1e-6 --token-file token.txt',
        'fedsvd join --config site.yaml',
      ),
    )
    .action(join)
}

/** What a person who pressed Ctrl+C has to know. */
const STOPPING =
  'stopping: nothing is lost. What was trained and reserved is in the state folder; the same command goes on with it, and a round that is broken off costs one step more. Ctrl+C again ends at once'

/** What a person who joined typed for a setting of the client. */
function namesOf(command: Command): NameOfClientSetting {
  const renamed: Readonly<Record<string, string>> = { dataFile: 'data', maxWaitSeconds: 'maxWait' }
  return ([setting = '', within]) => {
    if (setting === 'coordinator') return '<coordinator>'
    if (setting === 'enrolmentToken') return `${ENROLMENT_TOKEN.flag}-file`
    const name = setting === 'budget' && within !== undefined ? within : (renamed[setting] ?? setting)
    const option = command.options.find((one) => one.attributeName() === name)
    const isFromEnvironment = command.getOptionValueSource(name) === 'env'
    return isFromEnvironment && option?.envVar !== undefined ? option.envVar : (option?.long ?? optionOf(name))
  }
}

async function join(address: string | undefined, given: JoinOptions, command: Command): Promise<void> {
  const output = outputFor(given)
  warnOfMisspeltVariables(command)
  const { coordinator, ...options } = withSiteConfig(given, command)
  const config = clientConfig(settingsOf(address ?? coordinator, options), namesOf(command))
  const progress = new Progress({
    isTerminal: process.stdout.isTTY === true && !output.json,
    columns: process.stdout.columns ?? 80,
    write: (text) => void process.stdout.write(text),
  })
  await using node = await startClient(config, { onEvent: (event) => report(event, output, progress) })
  const ending = node.nextEnding().catch((error: Error) => error)
  const ended = await untilSignal(options.once ? ending : ending.then(refusalOrNever), (signal) => {
    progress.clear()
    output.record({ event: 'stopping', signal })
    output.line(STOPPING)
  })
  if (ended !== undefined) reportEnding(ended, output)
}

/** What a site cannot be started without, and where it is said. */
function needed<T>(value: T | undefined, option: string, key: string): T {
  if (value !== undefined) return value
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `${option}, or ${key} in the file of --config`,
    got: 'neither',
    remedy: 'Give one of them: see fedsvd join --help.',
  })
}

function settingsOf(coordinator: string | undefined, options: Omit<JoinOptions, 'coordinator'>): ClientConfigInput {
  return {
    coordinator: needed(coordinator, '<coordinator>', 'coordinator'),
    name: needed(options.name, '--name', 'name'),
    dataFile: [...needed(options.data, '--data', 'data')],
    ...readOptionsOf(options),
    stateDir: options.stateDir,
    budget: { epsilon: needed(options.epsilon, '--epsilon', 'budget.epsilon'), delta: options.delta },
    policy: { ...options.policy, ...(options.approval && { approval: options.approval }) },
    limits: options.limits,
    enrolmentToken: secretOf({ ...options }, ENROLMENT_TOKEN),
    budgetName: options.budgetName,
    disjointStatement: options.disjointStatement,
    renewals: options.renewal && [...options.renewal],
    ca: options.ca,
    cert: options.cert,
    key: options.key,
    declaredRecords: options.declaredRecords,
    declaredLabels: options.declaredLabels && [...options.declaredLabels],
    models: options.models,
    hub: options.hub,
    hubToken: modelSettingsOf(options).hub?.token,
    extension: options.extension && [...options.extension].flatMap((files) => files.split(',')),
    threads: options.threads,
    runtime: options.runtime,
    executionProvider: options.executionProvider,
    releaseGrid: options.releaseGrid,
    once: options.once ?? false,
    maxWaitSeconds: options.maxWait,
  }
}

/** A client that is not to end with a run ends all the same when the coordinator turns it away. */
function refusalOrNever(ending: Error | SiteEnding): Error | Promise<never> {
  return ending instanceof Error ? ending : new Promise<never>(() => {})
}

/** Why a client ended by itself, as an error for people and as an exit code for scripts. */
function reportEnding(ending: Error | SiteEnding, output: Output): void {
  const { exitCode, error } = outcomeOf(ending)
  if (error === undefined) return
  fail(error, output.json)
  process.exitCode = exitCode
}

/** One line for each event; under --json the event itself. Progress within a round has a line that is rewritten. */
function report(event: ClientEvent, output: Output, progress: Progress): void {
  const say = (text: string): void => {
    progress.clear()
    output.line(`${new Date().toISOString().slice(11, 19)}  ${text}`)
  }
  if (event.event === 'part') {
    progress.part(event)
    return
  }
  if (event.event === 'step') {
    const { fact, line } = progress.step(event)
    output.record(fact)
    if (line !== undefined) say(line)
    return
  }
  output.record(event)
  say(printable(sentence(event)))
}
