import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { jsonSchemaOf } from '../apps/cli/src/config-file/index.ts'
import { RUN_SCHEMA, runConfigSchema } from '../apps/cli/src/run-config/index.ts'
import { keysTable } from './markdown-table.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
export const PAGE = path.join(ROOT, 'docs/reference/run-configuration.md')
export const SCHEMA = path.join(ROOT, 'docs/reference/run-configuration.schema.json')

const INTRODUCTION = `# Run configuration

Written by \`npx tsx scripts/run-configuration-page.ts\` from the schema that checks the file; a test holds the page against it.

\`fedsvd run create --config run.yaml\` reads what a run is from a file, in YAML or JSON. This is a whole one:

\`\`\`yaml
# yaml-language-server: $schema=run-configuration.schema.json
name: reviews
labels: [bad, good]
target:
  epsilon: 6
\`\`\`

Everything else has a usual value, by the model and the task where the table says so. A longer one:

\`\`\`yaml
# yaml-language-server: $schema=run-configuration.schema.json
name: names in letters
model:
  name: my-bert
  maxTokens: 256
task: token-classification
labels: [O, PER, ORG]
target:
  epsilon: 8
  delta: 1e-6
rounds: 20
learningRate: 0.3
clientsPerRound: 10
quorum: 8
aggregation: median
adapter:
  targets: [query, key, value]
\`\`\`

An option of \`fedsvd run create\` counts before the file, and the file before the usual value. Every fault is told with its line, and a
key that is not in the table is refused. Editors that read [the JSON schema](run-configuration.schema.json) complete and check the
file as it is written; \`fedsvd run schema\` prints it. \`fedsvd run create --config run.yaml --dry-run\` says what the run would cost each
site before it is opened.

What to change first: where accuracy jumps up and down, lower \`learningRate\`; where it crawls, raise it. Where the noise is too much,
raise \`expectedLotSize\` as far as the smallest site allows, or ask for a larger \`target.epsilon\`: more \`rounds\` share out the same budget.
`

/** The page on the keys of a run configuration. */
export function runConfigurationPage(): string {
  return [INTRODUCTION, keysTable(runConfigSchema), ''].join('\n')
}

/** The schema that editors read. */
export function runConfigurationSchema(): string {
  return `${JSON.stringify(jsonSchemaOf(runConfigSchema, RUN_SCHEMA), null, 2)}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(PAGE, runConfigurationPage())
  writeFileSync(SCHEMA, runConfigurationSchema())
}
