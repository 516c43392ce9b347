import { join } from 'node:path'
import { ENVIRONMENT, EXECUTION_PROVIDERS, RUNTIMES, SVD_DEVICES } from '@fedsvd/engine/settings'
import {
  type CoordinatorSettings,
  completeConfig,
  type NameOfSetting,
  settingsFromEnvironment,
  startCoordinator,
} from '@fedsvd/server'
import { Command } from 'commander'
import { DATA_FORMATS, type DataOptions, withReadOptions } from '../data-options.ts'
import { warnOfMisspeltVariables } from '../misspelt-variables.ts'
import { collect, example, optionOf, port, positiveInteger } from '../options.ts'
import { outputFor } from '../output.ts'
import { AT_ONCE, untilSignal } from '../until-signal.ts'

interface ServeOptions extends Omit<DataOptions, 'unitColumn'> {
  readonly host?: string
  readonly port?: number
  readonly stateDir?: string
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly tlsClientCa?: string
  readonly databaseUrl?: string
  readonly blobs?: string
  readonly holdOut?: readonly string[]
  readonly models?: string
  readonly hub?: string
  readonly extension?: readonly string[]
  readonly threads?: number
  readonly runtime?: CoordinatorSettings['runtime']
  readonly executionProvider?: CoordinatorSettings['executionProvider']
  readonly svdDevice?: CoordinatorSettings['svdDevice']
  readonly logLevel?: CoordinatorSettings['logLevel']
  readonly json?: boolean
}

/** The settings of the coordinator, and how its hold-out is read where anything is said of that. */
function settingsOf(options: Omit<ServeOptions, 'json'>) {
  const { task, textColumn, pairColumn, labelColumn, wordsColumn, tagsColumn, promptColumn, answerColumn } = options
  const { encoding, delimiter, quoting } = options
  const columns = { textColumn, pairColumn, labelColumn, wordsColumn, tagsColumn, promptColumn, answerColumn }
  const reading = { task, ...columns, encoding, delimiter, quoting }
  const names = new Set(Object.keys(reading))
  const settings = Object.fromEntries(Object.entries(options).filter(([name]) => !names.has(name)))
  const { holdOut, extension } = options
  return {
    reading: Object.values(reading).some((value) => value !== undefined) ? reading : undefined,
    given: {
      ...settings,
      ...(holdOut && { holdOut: [...holdOut] }),
      ...(extension && { extension: [...extension] }),
    } as CoordinatorSettings,
  }
}

/** `fedsvd serve`: runs the coordinator until it is told to stop. */
export function serveCommand(): Command {
  const command = new Command('serve')
    .option('--host <address>', 'address to listen on (FEDSVD_HOST; default 127.0.0.1)')
    .option('--port <number>', 'port to listen on, 0 for a free one (FEDSVD_PORT; default 7373)', port)
    .option('--state-dir <folder>', 'database, tensors and secrets (FEDSVD_STATE_DIR; default .fedsvd/coordinator)')
    .option(
      '--database-url <url>',
      'PostgreSQL in place of the embedded database (or DATABASE_URL, where a password does not show to other users)',
    )
    .option('--tls-cert <file>', 'PEM certificate with its chain: speak HTTPS only (FEDSVD_TLS_CERT)')
    .option('--tls-key <file>', 'PEM private key of the certificate (FEDSVD_TLS_KEY)')
    .option('--tls-client-ca <file>', 'require a client certificate signed by this (FEDSVD_TLS_CLIENT_CA)')
    .option('--blobs <where>', 'where tensors are kept: s3://bucket/prefix or a folder (FEDSVD_BLOBS)')
    .option(
      '--hold-out <path>',
      `public records to measure the model on: ${DATA_FORMATS}; once for each file (FEDSVD_HOLD_OUT)`,
      collect,
    )
  return withReadOptions(command)
    .option('--models <folder>', 'folder of checkpoints (FEDSVD_MODELS; default .fedsvd/models)')
    .option('--hub <url>', 'hub to fetch checkpoints from; none unless given (FEDSVD_HUB, FEDSVD_HUB_TOKEN)')
    .option(
      '--extension <file>',
      'module that adds rules, methods, initialisers or models; once for each (FEDSVD_EXTENSIONS)',
      collect,
    )
    .option('--threads <count>', 'threads of the evaluation (FEDSVD_THREADS; default 1)', positiveInteger)
    .option('--runtime <name>', `what computes it: ${RUNTIMES.join(', ')} (FEDSVD_RUNTIME; default onnxruntime)`)
    .option(
      '--execution-provider <name>',
      `device of onnxruntime: ${EXECUTION_PROVIDERS.join(', ')} (FEDSVD_EXECUTION_PROVIDER; default cpu)`,
    )
    .option(
      '--svd-device <name>',
      `where states are re-factorised: ${SVD_DEVICES.join(', ')} (FEDSVD_SVD_DEVICE; default auto)`,
    )
    .option('--log-level <level>', 'debug, info, warn, error or silent (FEDSVD_LOG_LEVEL; default info)')
    .option('--json', 'print events as lines of JSON')
    .addHelpText(
      'after',
      `\nExit codes: 0 stopped by Ctrl+C or SIGTERM; 1 an error; ${AT_ONCE} ended at once by a second one, without closing in order.\nEvery setting, with its variable and range: docs/reference/settings.md.`,
    )
    .addHelpText(
      'after',
      example(
        'fedsvd serve --port 7373 --hold-out public.jsonl',
        'fedsvd serve --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem',
        'DATABASE_URL=postgresql://fedsvd@db/fedsvd fedsvd serve --host 0.0.0.0',
      ),
    )
    .action(serve)
}

async function serve({ json, ...options }: ServeOptions, command: Command): Promise<void> {
  const { reading, given } = settingsOf(options)
  const output = outputFor({ json })
  if (given.databaseUrl !== undefined && hasPassword(given.databaseUrl)) {
    process.stderr.write('--database-url shows its password in the list of processes: use DATABASE_URL\n')
  }
  warnOfMisspeltVariables(command)
  const fromEnvironment = settingsFromEnvironment()
  const hasOption = (setting: string): boolean => command.options.some((one) => one.attributeName() === setting)
  const nameOf: NameOfSetting = (setting) =>
    setting in given || (hasOption(setting) && !(setting in fromEnvironment)) ? optionOf(setting) : ENVIRONMENT[setting]
  const settings = { ...fromEnvironment, ...given, ...(reading && { holdOutReading: reading }) }
  const config = completeConfig(settings, nameOf)
  await using coordinator = await startCoordinator(config, { nameOf })
  const { url } = coordinator
  output.record({ event: 'listening', url, stateDir: config.stateDir })
  output.line(`coordinator at ${url}`)
  const token = config.operatorToken === undefined ? `in ${join(config.stateDir, 'operator.token')}` : 'as it was set'
  output.line(`operator token ${token}; stop with Ctrl+C`)
  await untilSignal(new Promise<never>(() => {}), (signal) => {
    output.record({ event: 'stopping', signal })
    output.line(
      `stopping: requests under way are finished, for ${config.graceSeconds} s at most. Nothing is lost: runs go on at the next start. Ctrl+C again ends at once`,
    )
  })
}

function hasPassword(url: string): boolean {
  return URL.canParse(url) && new URL(url).password !== ''
}
