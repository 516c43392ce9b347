/**
 * Who may import whom. A key is a folder; `may` lists the folders it may import from, beside itself.
 * Nothing points back: the table is the architecture, and `npm run lint` holds the code against it.
 */
export interface Rule {
  readonly may: readonly string[]
  /** Packages and Node modules; absent means any. Matches a name or everything below it. */
  readonly packages?: readonly string[]
  readonly because: string
}

const core = (folder: string): string => `packages/core/src/${folder}`
const PURE =
  'core is pure: no clock, no files, no network, no randomness of its own, so that it can be tested and trusted'

function pure(may: readonly string[], packages: readonly string[], because = PURE): Rule {
  return { may: [core('errors.ts'), ...may.map(core)], packages, because }
}

export const IMPORT_TABLE: Readonly<Record<string, Rule>> = {
  [core('errors.ts')]: { may: [], packages: [], because: 'the catalogue of errors stands below everything' },
  [core('numeric')]: pure([], ['@stdlib', 'fft.js']),
  [core('random')]: pure(['numeric'], ['seedrandom']),
  [core('tensor')]: pure([], []),
  [core('linalg')]: pure(['tensor'], []),
  [core('accounting')]: pure(
    ['numeric'],
    ['@stdlib'],
    'an accountant sees events only: epsilon is computed from facts',
  ),
  [core('lora')]: pure(['tensor', 'linalg', 'random'], []),
  [core('autodiff')]: pure(['tensor'], ['@bufbuild/protobuf']),
  [core('models')]: pure(['graph', 'tensor', 'adapters'], []),
  [core('privacy')]: pure(['tensor', 'random', 'accounting', 'numeric'], []),
  [core('privacy-audit')]: pure(
    ['privacy', 'accounting', 'tensor', 'linalg'],
    [],
    'an audit sees what training shows and holds it against a claim; it does not train differently',
  ),
  [core('federation')]: pure(
    ['adapters', 'privacy', 'accounting', 'tensor', 'linalg'],
    [],
    'the coordinator has nothing to privatise and no model to differentiate',
  ),
  [core('protocol')]: pure(['tensor', 'adapters', 'accounting'], ['zod']),
  'packages/engine/src': {
    may: ['packages/core/src'],
    because: 'the engine runs graphs; it knows neither the client nor the coordinator',
  },
  'apps/server/src': {
    may: ['packages/core/src', 'packages/engine/src', 'apps/server/package.json'],
    because: 'the coordinator and the client meet on the wire only, never in code',
  },
  'apps/client/src': {
    may: ['packages/core/src', 'packages/engine/src', 'apps/client/package.json'],
    because: 'the coordinator and the client meet on the wire only, never in code',
  },
  'apps/dashboard/src': {
    may: ['packages/core/src'],
    because: 'the dashboard runs in browsers: it knows the wire and the accountant, never the coordinator itself',
  },
  'apps/cli/src': {
    may: ['packages/core/src', 'packages/engine/src', 'apps/server/src', 'apps/client/src'],
    because: 'the command line stands on top of everything',
  },
}

/** Files that alone may use something, with the reason. */
export const ONLY: readonly { readonly uses: RegExp; readonly within: RegExp; readonly because: string }[] = [
  {
    uses: /^(\.{1,2}\/)+(.*\/)?generated\/|^@prisma\//,
    within: /^apps\/server\/src\/store\/prisma\/|^scripts\//,
    because: 'only the store knows the database; everything else speaks to its interface',
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
    within: /^packages\/engine\/src\/crypto\/os-randomness\.ts$|^packages\/core\/src\/random\/source\.ts$/,
    because: 'there is one source of private randomness, and its binding to the operating system is under test',
  },
  {
    uses: /\bseededSource\s*\(/,
    within: /^packages\/|^apps\/server\/src\/rounds\/select\.ts$/,
    because:
      'what comes from a seed protects nobody: a client draws nothing from one, and a coordinator only whom it asks',
  },
]
