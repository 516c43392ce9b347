import {
  type ClientConfigInput,
  type ClientEvent,
  clientConfig,
  type NameOfClientSetting,
  type SiteEnding,
  startClient,
} from '@fedsvd/client'
import { roundNumber } from '@fedsvd/core/errors'
import { EXECUTION_PROVIDERS, RUNTIMES } from '@fedsvd/engine/settings'
import { Command, Option } from 'commander'
import { clientStateDir } from '../client-state-dir.ts'
import { DATA_FORMATS, type DataOptions, readOptionsOf, withDataOptions } from '../data-options.ts'
import { EXIT, outcomeOf } from '../join/outcome.ts'
import { Progress } from '../join/progress.ts'
import { warnOfMisspeltVariables } from '../misspelt-variables.ts'
import { type ModelOptions, modelSettingsOf, withModelOptions } from '../model-options.ts'
import { collect, example, labelList, optionOf, positiveInteger, positiveNumber, probability } from '../options.ts'
import { fail, type Output, outputFor } from '../output.ts'
import { printable } from '../printable.ts'
import { type SecretOption, secretOf, withSecret } from '../secret-option.ts'
import { AT_ONCE, untilSignal } from '../until-signal.ts'

interface JoinOptions extends DataOptions, ModelOptions {
  readonly name: string
  readonly data: readonly string[]
  readonly stateDir: string
  readonly epsilon: number
  readonly delta: number
  readonly budgetName?: string
  readonly disjointStatement?: string
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly declaredRecords?: number
  readonly declaredLabels?: readonly string[]
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
        .argParser(collect)
        .makeOptionMandatory(),
    )
    .argument('<coordinator>', 'address of the coordinator, such as https://fedsvd.example:7373')
    .addOption(new Option('--name <name>', 'what operators call this site').env('FEDSVD_NAME').makeOptionMandatory())
    .addOption(
      new Option('--epsilon <number>', 'life-time budget of this site, over everything that it trains on')
        .env('FEDSVD_EPSILON')
        .argParser(positiveNumber)
        .makeOptionMandatory(),
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
      `\nExit codes: 0 the run is completed, or a signal; 1 an error; with --once also ${EXIT.declined} this site declined, ${EXIT.stopped} the run\nwas stopped, ${EXIT.failed} it failed; ${EXIT.refused} the coordinator refused this site; ${AT_ONCE} ended at once by a second Ctrl+C.\nThe enrolment token is made by who runs the coordinator: on the page Clients of its dashboard, or by the API\n(docs/reference/protocol.md). It is for one site, once, and is needed at the first start only.`,
    )
    .addHelpText(
      'after',
      example(
        'fedsvd join https://fedsvd.example:7373 --name north-clinic --data notes.jsonl --declared-records 2000 --epsilon 6 --delta 1e-6 --token-file token.txt',
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

async function join(coordinator: string, options: JoinOptions, command: Command): Promise<void> {
  const output = outputFor(options)
  warnOfMisspeltVariables(command)
  const config = clientConfig(settingsOf(coordinator, options), namesOf(command))
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

function settingsOf(coordinator: string, options: JoinOptions): ClientConfigInput {
  return {
    coordinator,
    name: options.name,
    dataFile: [...options.data],
    ...readOptionsOf(options),
    stateDir: options.stateDir,
    budget: { epsilon: options.epsilon, delta: options.delta },
    enrolmentToken: secretOf({ ...options }, ENROLMENT_TOKEN),
    budgetName: options.budgetName,
    disjointStatement: options.disjointStatement,
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

function sentence(event: Exclude<ClientEvent, { event: 'part' | 'step' }>): string {
  switch (event.event) {
    case 'data-loaded':
      return `loaded ${event.records} records of ${event.rows} rows in ${event.files} ${event.files === 1 ? 'file' : 'files'}, data set ${event.fingerprint.slice(0, 12)}, unit of privacy: ${event.unit}${event.withoutUnit > 0 ? ` (${event.withoutUnit} more name no person and are left out)` : ''}`
    case 'records-left-out': {
      const records = `${event.count} ${event.count === 1 ? 'record is' : 'records are'} left out`
      const where = event.runId === undefined ? 'rows that are no records' : `run ${event.runId} cannot take them`
      const reasons = event.reasons.map(({ reason, count }) => `; ${count} × expected ${reason}`).join('')
      const first = event.first === undefined ? '' : `; the first: ${lineOf(event.first)}`
      const decline = event.runId !== undefined && event.first?.code === 'LABEL_UNKNOWN'
      return `${records}: ${where}${reasons}${first}${decline ? ' A site that names its labels with --declared-labels declines such a run before it costs anything.' : ''}`
    }
    case 'budget':
      return budgetSentence(event)
    case 'declared':
      return `declares ${event.declaredRecords} records${event.labels === undefined ? '' : `, labels ${event.labels.join(', ')}`}${declaredTooFew(event)}`
    case 'data-changed':
      return `${event.path} was changed: this client goes on with the records of its start; start it again to take up others`
    case 'state-exposed':
      return `WARNING: others on this machine have rights to the state folder ${event.path} (${event.rights}): it holds the key of this site, its ledger and its records as tokens; chmod 700 ${event.path}`
    case 'ledgers-adopted':
      return `${event.count} earlier ${event.count === 1 ? 'ledger counts' : 'ledgers count'} in the budget of this site`
    case 'waiting':
      return `enrolling at ${event.coordinator}`
    case 'enrolled':
      return `enrolled as ${event.clientId}`
    case 'connected':
      return `connected to ${event.coordinator}${event.transport === 'polling' ? ' by long polling: WebSocket is blocked on the way' : ''}`
    case 'disconnected':
      return `connection lost (${event.reason}); trying again`
    case 'unreachable':
      return lineOf(event.error)
    case 'dropped':
      return `dropped a message: ${lineOf(event.error)}`
    case 'refused':
      return `turned away: ${lineOf(event.error)}`
    case 'joined': {
      const { noiseMultiplier, sampleRate, budget } = event.terms
      return `joined "${event.name}": noise multiplier ${noiseMultiplier.toFixed(3)}, sample rate ${sampleRate.toFixed(4)}, epsilon at most ${budget.epsilon} at delta ${budget.delta} per ${event.unit}`
    }
    case 'declined':
      return `declined${event.name === undefined ? '' : ` "${event.name}"`}${event.round === undefined ? '' : `, round ${roundNumber(event.round)}`}: ${lineOf(event.error)}`
    case 'round-started':
      return `round ${roundNumber(event.round)} of ${event.rounds}: training`
    case 'round-shortened':
      return `round ${roundNumber(event.round)}: the budget pays for ${event.steps} of its ${event.of} steps`
    case 'round-resumed':
      return `round ${roundNumber(event.round)}: resumes after step ${event.step} of ${event.steps}`
    case 'release-slot':
      if (event.seconds === 0) return 'updates leave when they are made: how long training took is not protected'
      return `updates leave every ${event.seconds.toFixed(1)} s${event.fits ? '' : ', which is longer than the deadline of a round: they will be late'}`
    case 'lot-failed':
      return `round ${roundNumber(event.round)}, step ${event.step} of ${event.steps}: records that the engine failed on were left out: ${lineOf(event.error)}`
    case 'disk-full':
      return `waiting for room on the disk: ${lineOf(event.error)}`
    case 'disk-has-room':
      return 'there is room on the disk again'
    case 'round-delivered':
      return `round ${roundNumber(event.round)}: update delivered`
    case 'round-failed':
      return `round ${roundNumber(event.round)} failed: ${lineOf(event.error)}`
    case 'ledger-mismatch':
      return `the coordinator's record differs from this ledger${event.error ? `: ${lineOf(event.error)}` : ''}`
    case 'run-paused':
      return event.round === undefined
        ? 'the run is paused'
        : `the run is paused: round ${roundNumber(event.round)} is held`
    case 'run-ended':
      return `run ${event.state}${event.reason ? `: ${event.reason}` : ''}`
  }
}

/** The limit, what is spent and left of it, of whose units, and where the limit comes from. */
function budgetSentence({ name, budget, asked, source, ...used }: Extract<ClientEvent, { event: 'budget' }>): string {
  const { epsilon, delta } = budget
  const figures = `limit epsilon ${epsilon} at delta ${delta} per ${used.unit}, spent ${used.epsilonCharged.toFixed(4)}, left ${used.remaining.toFixed(4)}`
  const why =
    source === 'settings'
      ? 'as set at this start'
      : `as ${used.ledger} has it, not epsilon ${asked.epsilon} at delta ${asked.delta} as set at this start: a budget can be lowered, never raised`
  return `budget "${name}": ${figures} (${why})`
}

/** What a count far from the true one means, for the site's own eyes. */
function declaredTooFew({ declaredRecords, records }: { declaredRecords: number; records: number }): string {
  if (records === 0) return '; WARNING: there are none, so this site sends noise only'
  if (declaredRecords < records) return ` of ${records}: lots are larger than a run expects, by the same factor`
  if (declaredRecords > 2 * records) return ` for ${records}: lots are smaller than a run expects, by the same factor`
  return ''
}

function lineOf({
  code,
  expected,
  got,
  remedy,
}: {
  code: string
  expected: string
  got: string
  remedy: string
}): string {
  return `${code}: expected ${expected}, got ${got}. ${remedy}`
}
