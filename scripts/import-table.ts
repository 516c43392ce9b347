import { ONE_HOME } from './one-home.ts'

/**
 * Who may import whom. A key is a folder or a file; `may` lists the folders it may import from, beside itself. Nothing
 * points back: the table is the architecture, and `npm run lint` holds the code against it.
 */
export interface Rule {
  readonly may: readonly string[]
  /** Packages and Node modules; absent means any. Matches a name or everything below it. */
  readonly packages?: readonly string[]
  readonly because: string
}

const CORE = 'packages/core/src'
const ENGINE = 'packages/engine/src'
const STARTER = 'packages/starter/src'
const SERVER = 'apps/server/src'
const CLIENT = 'apps/client/src'
const DASHBOARD = 'apps/dashboard/src'

const core = (folder: string): string => `${CORE}/${folder}`
const PURE =
  'core is pure: no clock, no files, no network, no randomness of its own, so that it can be tested and trusted'

function pure(may: readonly string[], packages: readonly string[], because = PURE): Rule {
  return { may: [core('errors.ts'), ...may.map(core)], packages, because }
}

/** The rooms of a package, each with the rooms that it may import; `outside` may be imported by all of them. */
function rooms(
  root: string,
  outside: readonly string[],
  because: string,
  table: Readonly<Record<string, readonly [may: readonly string[], because?: string]>>,
): Record<string, Rule> {
  return Object.fromEntries(
    Object.entries(table).map(([room, [may, reason = because]]) => [
      `${root}/${room}`,
      {
        may: [...outside, ...may.map((other) => (/^(apps|packages)\//.test(other) ? other : `${root}/${other}`))],
        because: reason,
      },
    ]),
  )
}

const ON_THE_WIRE = 'the coordinator and the client meet on the wire only, never in code'

const engine = rooms(ENGINE, [CORE], 'the engine runs graphs; it knows neither the client nor the coordinator', {
  settings: [[], 'names of runtimes and devices: nothing is loaded by naming one'],
  extensions: [['training'], 'an extension is given what it registers with, and nothing of a run'],
  files: [[], 'files stand on nothing but the operating system'],
  network: [[]],
  crypto: [[], 'randomness comes from the operating system and from nowhere else'],
  tokenizers: [['files']],
  runtime: [['settings'], 'a runtime computes graphs, whatever they are for'],
  'linear-algebra': [['runtime', 'settings']],
  'weights/safetensors': [['files'], 'a file format knows no model'],
  'weights/huggingface': [['files', 'tokenizers', 'weights/safetensors']],
  'weights/peft': [['files', 'weights/safetensors']],
  datasets: [['files', 'tokenizers'], 'a data set is read the same, whatever is trained on it'],
  models: [['files', 'network', 'weights']],
  training: [['datasets', 'files', 'models', 'runtime', 'settings', 'tokenizers', 'weights']],
  baselines: [['datasets'], 'what a site could do alone, and without the model'],
  'local-training': [['datasets', 'training'], 'training without privacy stays apart from the private step'],
  export: [['files', 'settings', 'tokenizers', 'training', 'weights']],
  inference: [
    ['datasets', 'export', 'files', 'models', 'runtime', 'settings', 'tokenizers', 'training', 'weights'],
    'a model in use is the same, whatever asks it and wherever it came from',
  ],
})

const starter = rooms(
  STARTER,
  [CORE, ENGINE],
  'the starter model is one model among others: it stands on what any model stands on, and nothing knows it but those that compose a process',
  {
    checkpoint: [[]],
    tokenizer: [[]],
    corpus: [[], 'the example data know no model'],
    'encoder.ts': [[], 'the encoder is a graph: it reads no files'],
    'engine.ts': [['checkpoint', 'encoder.ts']],
    'engine-for.ts': [['encoder.ts', 'engine.ts']],
    'model.ts': [['checkpoint', 'engine.ts', 'engine-for.ts', 'tokenizer']],
    'register.ts': [['model.ts']],
    'index.ts': [['checkpoint', 'encoder.ts', 'engine.ts', 'engine-for.ts', 'model.ts', 'register.ts', 'tokenizer']],
  },
)

const server = rooms(SERVER, [CORE, ENGINE], ON_THE_WIRE, {
  platform: [[], 'the ground floor: time, retries and signals, which know no run'],
  'secrets.ts': [[]],
  'version.ts': [['apps/server/package.json']],
  'config.ts': [['secrets.ts']],
  'object-store-identity.ts': [['config.ts', 'identity', 'secrets.ts']],
  telemetry: [[], 'what is told of a part is told by that part: telemetry knows none of them'],
  storage: [['config.ts', 'platform', 'telemetry'], 'storage keeps what it is given and decides nothing'],
  identity: [['secrets.ts', 'storage']],
  models: [[`${STARTER}/register`]],
  evaluation: [['models', 'storage']],
  privacy: [['storage'], 'what is spent follows from events alone'],
  refactorisation: [['storage']],
  ownership: [['identity', 'platform', 'storage']],
  rounds: [
    ['identity', 'platform', 'privacy', 'refactorisation', 'storage', 'telemetry'],
    'a round is told what it may do to its run; it knows neither runs nor sockets',
  ],
  'events.ts': [['identity', 'storage'], 'events are named by what they tell, not by who tells or hears them'],
  runs: [
    [
      'evaluation',
      'events.ts',
      'identity',
      'models',
      'ownership',
      'platform',
      'privacy',
      'refactorisation',
      'rounds',
      'storage',
      'telemetry',
    ],
  ],
  views: [
    ['evaluation', 'identity', 'platform', 'privacy', 'rounds', 'runs', 'storage'],
    'what people see is read from what is stored and from the runs under way; nothing is changed by looking',
  ],
  trackers: [
    ['platform', 'privacy', 'rounds', 'storage', 'views'],
    'a tracker is told what is stored of a run; no round knows of it, so that none can wait for it',
  ],
  sockets: [['identity', 'platform', 'privacy', 'rounds', 'runs', 'storage', 'telemetry', 'views']],
  http: [
    ['config.ts', 'identity', 'models', 'platform', 'privacy', 'runs', 'storage', 'telemetry', 'version.ts', 'views'],
  ],
  backup: [['config.ts', 'storage', 'telemetry', 'version.ts']],
  'membership.ts': [['identity', 'ownership', 'platform', 'runs', 'sockets', 'storage', 'views']],
  composition: [
    [
      'config.ts',
      'evaluation',
      'events.ts',
      'http',
      'identity',
      'membership.ts',
      'models',
      'object-store-identity.ts',
      'platform',
      'privacy',
      'refactorisation',
      'runs',
      'secrets.ts',
      'sockets',
      'storage',
      'telemetry',
      'trackers',
      'version.ts',
      'views',
    ],
    'what a coordinator consists of is put together here, and nothing is decided',
  ],
  loopback: [
    [
      'composition',
      'config.ts',
      'evaluation',
      'events.ts',
      'identity',
      'models',
      'platform',
      'refactorisation',
      'rounds',
      'runs',
      'sockets',
      'storage',
      'telemetry',
    ],
    'a coordinator for clients in its own process: the rooms of any other, without a network',
  ],
})

const client = rooms(CLIENT, [CORE, ENGINE], ON_THE_WIRE, {
  platform: [[], 'the ground floor: durable files and values to wait for, which know no run'],
  'version.ts': [['apps/client/package.json']],
  'events.ts': [['approvals', 'ledger']],
  owner: [['platform']],
  ledger: [
    ['owner', 'platform'],
    'a ledger counts what was released, and depends on nothing that decides what to release',
  ],
  'step-snapshots': [['ledger', 'platform']],
  outbox: [['ledger', 'platform']],
  overlap: [['ledger', 'platform']],
  'event-log': [['events.ts', 'platform'], 'what a client tells is kept as it is told'],
  policy: [['ledger', 'platform']],
  approvals: [
    ['platform'],
    'what waits for a decision and what was decided is read by whoever decides, beside the client that runs',
  ],
  transport: [
    ['ledger', 'platform', 'policy', 'version.ts'],
    'how messages travel is no business of the rounds that they are about',
  ],
  identity: [['ledger', 'platform', 'transport']],
  data: [['ledger', 'platform', 'policy']],
  release: [['platform', 'transport']],
  round: [['ledger', 'outbox', 'platform', 'policy', 'release', 'step-snapshots', 'transport']],
  runs: [['approvals', 'data', 'ledger', 'platform', 'policy', 'release', 'transport']],
  'state-folder.ts': [['identity', 'ledger', 'platform']],
  'budget.ts': [['ledger', 'overlap', 'owner', 'platform']],
  'config.ts': [['ledger', 'policy', 'state-folder.ts', 'transport']],
  simulation: [
    [
      'approvals',
      'data',
      'events.ts',
      'ledger',
      'node.ts',
      'outbox',
      'policy',
      'round',
      'runs',
      'step-snapshots',
      'transport',
    ],
    'a simulated site stands on the node of a live one, and no live one knows that there are simulated ones',
  ],
})

const dashboard = rooms(
  DASHBOARD,
  [CORE],
  'the dashboard runs in browsers: it knows the wire and the accountant, never the coordinator itself',
  {
    'base-path.ts': [[]],
    'theme.ts': [[]],
    'format.ts': [[]],
    'frame-queue.ts': [[]],
    'use-now.ts': [[]],
    texts: [[], 'words stand on nothing, so that another language is one more file'],
    'run-facts.ts': [[]],
    'remaining.ts': [['run-facts.ts']],
    'warnings.ts': [['remaining.ts', 'run-facts.ts', 'texts']],
    accountant: [[], 'the accountant in the browser is the one of core, in a thread of its own'],
    api: [['base-path.ts', 'run-facts.ts']],
    charts: [
      ['accountant/questions.ts', 'format.ts', 'frame-queue.ts', 'theme.ts'],
      'a chart is a function of its points: who asked for them is none of its business',
    ],
    'copy-text.ts': [[]],
    'draft.ts': [[]],
    components: [['copy-text.ts', 'format.ts', 'texts']],
    pages: [
      [
        'accountant',
        'api',
        'base-path.ts',
        'charts',
        'components',
        'draft.ts',
        'format.ts',
        'remaining.ts',
        'run-facts.ts',
        'texts',
        'use-now.ts',
        'warnings.ts',
      ],
    ],
    'shell.tsx': [['api', 'components', 'format.ts', 'texts', 'use-now.ts']],
  },
)

export const IMPORT_TABLE: Readonly<Record<string, Rule>> = {
  [core('errors.ts')]: { may: [], packages: [], because: 'the catalogue of errors stands below everything' },
  [core('registry')]: pure([], ['zod'], 'a registry knows names and schemas, whatever is registered'),
  [core('limits')]: pure(['accounting'], ['zod'], 'a range is a number and a reason; it knows no message'),
  [core('numeric')]: pure([], ['@stdlib', 'fft.js']),
  [core('metrics')]: pure(['numeric'], [], 'a figure follows from counts and outputs, whatever model gave them'),
  [core('random')]: pure(['numeric'], ['seedrandom']),
  [core('tensor')]: pure([], []),
  [core('linalg')]: pure(['tensor'], []),
  [core('accounting')]: pure(
    ['numeric'],
    ['@stdlib'],
    'an accountant sees events only: epsilon is computed from facts',
  ),
  [core('lora')]: pure(['tensor', 'linalg', 'random', 'registry'], []),
  [core('autodiff')]: pure(['tensor'], ['@bufbuild/protobuf']),
  [core('models')]: pure(['autodiff', 'tensor', 'lora'], []),
  [core('privacy')]: pure(['tensor', 'random', 'accounting', 'numeric'], []),
  [core('privacy-audit')]: pure(
    ['privacy', 'accounting', 'tensor', 'linalg'],
    [],
    'an audit sees what training shows and holds it against a claim; it does not train differently',
  ),
  [core('federation')]: pure(
    ['limits', 'lora', 'privacy', 'accounting', 'registry', 'tensor', 'linalg'],
    ['zod'],
    'the coordinator has nothing to privatise and no model to differentiate',
  ),
  [core('site-evaluation')]: pure(
    ['accounting', 'metrics'],
    [],
    'what sites count of their own records is a vector for each unit, whatever model gave it',
  ),
  [core('protocol')]: pure(
    ['tensor', 'limits', 'lora', 'accounting', 'federation', 'registry', 'site-evaluation'],
    ['zod'],
  ),
  [core('secure-aggregation')]: pure(
    ['accounting', 'limits', 'numeric', 'privacy', 'protocol', 'random', 'tensor'],
    ['zod'],
    'the protocol of a secure sum is data in and data out: its cryptography is handed in, and sending and storing are for others',
  ),
  ...engine,
  ...starter,
  ...server,
  [SERVER]: { may: [CORE, ENGINE, 'apps/server/package.json'], because: ON_THE_WIRE },
  ...client,
  [CLIENT]: { may: [CORE, ENGINE, `${STARTER}/register`, 'apps/client/package.json'], because: ON_THE_WIRE },
  ...dashboard,
  [DASHBOARD]: {
    may: [CORE],
    because: 'the dashboard runs in browsers: it knows the wire and the accountant, never the coordinator itself',
  },
  'apps/cli/src/config-file': {
    may: [CORE],
    packages: ['node:fs', 'yaml', 'zod'],
    because: 'a file of settings is read the same, whatever is set: it knows schemas and no command',
  },
  'apps/cli/src/run-config': {
    may: [CORE, 'apps/cli/src/config-file'],
    packages: ['zod'],
    because: 'what a run configuration says becomes a request, whoever sends it',
  },
  'apps/cli/src/simulation': {
    may: [CORE, ENGINE, STARTER, SERVER, CLIENT, 'apps/cli/src/config-file', 'apps/cli/src/run-config'],
    because: 'an experiment is the same whether a command or a program asks for it',
  },
  'apps/cli/src/site-config': {
    may: [CORE, ENGINE, CLIENT, 'apps/cli/src/config-file'],
    because: 'the file of a site stands for options of its commands, and knows none of these',
  },
  'apps/cli/src/completion': { may: [], packages: ['commander'], because: 'a script follows from the options alone' },
  'apps/cli/src/profile': {
    may: [CORE, ENGINE, `${CLIENT}/platform`, 'apps/cli/src/config-file'],
    because: 'a profile is a file: what it is used for is decided in access.ts',
  },
  'apps/cli/src': {
    may: [CORE, ENGINE, STARTER, SERVER, CLIENT, 'apps/cli/package.json'],
    because: 'the command line stands on top of everything',
  },
}

/** Packages whose every folder needs a row of its own. */
export const WITH_ROWS: readonly string[] = [CORE, ENGINE, STARTER]

/** Files that alone may use something, with the reason. */
export const ONLY: readonly { readonly uses: RegExp; readonly within: RegExp; readonly because: string }[] = [
  {
    uses: /^(\.{1,2}\/)+(.*\/)?generated\/|^@prisma\//,
    within: /^apps\/server\/src\/storage\/records\/(postgres|embedded)\/|^scripts\//,
    because: 'only the store knows the database; everything else speaks to its interface',
  },
  {
    uses: /^@fedsvd\/testing(\/|$)|(^|\/)packages\/testing\//,
    within: /^packages\/testing\//,
    because: 'doubles and fixtures are for tests: nothing that ships may need them',
  },
]
/** What a source file may contain, comments included, in the places named alone. */
export const TEXTS: readonly { readonly uses: RegExp; readonly within: RegExp; readonly because: string }[] = [
  {
    uses: /\bMath\s*(?:\.|\?\.|\[)\s*['"`]?random\b|\{[^}]*\brandom\b[^}]*\}\s*=\s*Math\b/,
    within: /^apps\/client\/src\/transport\/back-off\.ts$/,
    because:
      'its next values follow from its last ones: noise and lots come from the operating system, and only how long a client waits before it connects again may come from it',
  },
  {
    uses: /\bkind\b['"]?\s*[:=]\s*['"`]os-csprng\b|\b(?:randomFillSync|randomFill|getRandomValues)\s*\(/,
    within:
      /^packages\/engine\/src\/crypto\/os-randomness\.ts$|^packages\/core\/src\/random\/source\.ts$|^packages\/testing\//,
    because: 'there is one source of private randomness, and its binding to the operating system is under test',
  },
  {
    uses: /\bseededSource\s*\(/,
    within: /^packages\/|^apps\/server\/src\/rounds\/select\.ts$|^apps\/cli\/src\/simulation\//,
    because:
      'what comes from a seed protects no record: a client draws nothing from one, a coordinator only which clients it asks, and a simulation has no records to protect',
  },
  ...ONE_HOME,
]
