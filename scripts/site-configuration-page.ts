import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { jsonSchemaOf } from '../apps/cli/src/config-file/index.ts'
import { SITE_SCHEMA, siteConfigSchema } from '../apps/cli/src/site-config/index.ts'
import { keysTable } from './markdown-table.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
export const PAGE = path.join(ROOT, 'docs/reference/site-configuration.md')
export const SCHEMA = path.join(ROOT, 'docs/reference/site-configuration.schema.json')

const INTRODUCTION = `# Site configuration

Written by \`npx tsx scripts/site-configuration-page.ts\` from the schema that checks the file; a test holds the page against it.

\`fedsvd join --config site.yaml\` reads what a site is and what it may spend from a file, in YAML or JSON:

\`\`\`yaml
# yaml-language-server: $schema=site-configuration.schema.json
coordinator: https://fedsvd.example:7373
name: north-clinic
data: notes.jsonl
declared:
  records: 2000
  labels: [ham, spam]
budget:
  epsilon: 6
  delta: 1e-6
policy:
  approval: ask
  maxEpsilonPerRun: 2
  maxSteps: 500
tokenFile: token.txt
\`\`\`

Paths are relative to the folder of the file. An option of \`fedsvd join\` counts before its variable of the environment, that before the
file, and that before the default. Every fault is told with its line, and a key that is not in the table is refused. Editors that read
[the JSON schema](site-configuration.schema.json) complete and check the file as it is written; \`fedsvd site schema\` prints it.

Needed, here or as an option, are \`coordinator\`, \`name\`, \`data\` and \`budget.epsilon\`, and \`declared.records\` until the first run is agreed
to. What the columns and the reading of files mean is on the page on [data](data.md); what the policy decides, on [site
policy](site-policy.md).
`

/** The page on the keys of a site configuration. */
export function siteConfigurationPage(): string {
  return [INTRODUCTION, keysTable(siteConfigSchema, LIMIT_DESCRIPTION), ''].join('\n')
}

const LIMIT_DESCRIPTION = 'See [site policy](site-policy.md).'

/** The schema that editors read. */
export function siteConfigurationSchema(): string {
  return `${JSON.stringify(jsonSchemaOf(siteConfigSchema, SITE_SCHEMA), null, 2)}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(PAGE, siteConfigurationPage())
  writeFileSync(SCHEMA, siteConfigurationSchema())
  execFileSync('npx', ['biome', 'format', '--write', SCHEMA], { cwd: ROOT })
}
