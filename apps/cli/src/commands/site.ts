import type { Decision } from '@fedsvd/client/approvals'
import { readEventLog } from '@fedsvd/client/event-log'
import { Command } from 'commander'
import { clientStateDir } from '../client-state-dir.ts'
import { jsonSchemaOf } from '../config-file/index.ts'
import { example, positiveInteger } from '../options.ts'
import { outputFor } from '../output.ts'
import { decideRun } from '../site/decide-run.ts'
import { clientText, eventLine, pendingTable } from '../site/show-site.ts'
import { pendingRuns, siteClients } from '../site/site-state.ts'
import { watchLog } from '../site/watch-log.ts'
import { SITE_SCHEMA, siteConfigOption, siteConfigSchema, withSiteConfig } from '../site-config/index.ts'
import { untilSignal } from '../until-signal.ts'

interface SiteOptions {
  readonly config?: string
  readonly stateDir: string
  readonly json?: boolean
}

interface LinesOptions extends SiteOptions {
  readonly lines: number
}

/** `fedsvd site`: what the client of this site is at, and decisions about the runs that wait for one. */
export function siteCommand(): Command {
  const command = new Command('site')
  command.addCommand(
    onSite('status', 'Show what runs, what is spent, what waits for a decision, and the last events.', status)
      .option('--lines <count>', 'so many of the last events', positiveInteger, 10)
      .addHelpText('after', example('fedsvd site status', 'fedsvd site status --config site.yaml --json')),
  )
  command.addCommand(
    onSite('watch', 'Show the same, and then each event as it comes.', watch)
      .option('--lines <count>', 'so many of the last events at the beginning', positiveInteger, 10)
      .addHelpText('after', example('fedsvd site watch')),
  )
  command.addCommand(
    onSite('pending', 'List the runs that wait for a decision of this site, each with its cost.', pending).addHelpText(
      'after',
      example('fedsvd site pending'),
    ),
  )
  for (const [name, decision, what] of [
    ['approve', 'approved', 'Have this site join a run that waits'],
    ['decline', 'declined', 'Have this site stay out of a run that waits'],
  ] as const) {
    command.addCommand(
      onSite(
        name,
        `${what}: signed with the key of the site, and taken up by its running client.`,
        (run: string, given: SiteOptions, self: Command) => decideOn(decision, run, given, self),
      )
        .argument('<run>', 'identifier of the run, or its beginning')
        .addHelpText('after', example(`fedsvd site ${name} 3f2504e0-4f89-41d3-9a0c-0305e82c3301`)),
    )
  }
  command.addCommand(
    new Command('schema')
      .description('Print the JSON schema of the site configuration, which editors read.')
      .addHelpText('after', example('fedsvd site schema > site.schema.json'))
      .action(
        () => void process.stdout.write(`${JSON.stringify(jsonSchemaOf(siteConfigSchema, SITE_SCHEMA), null, 2)}\n`),
      ),
  )
  return command
}

/** A command on the state folder of a site: its action gets the arguments, the options and the command. */
function onSite(name: string, description: string, action: (...given: never[]) => void | Promise<void>): Command {
  return new Command(name)
    .description(description)
    .addOption(siteConfigOption())
    .addOption(clientStateDir('state folder of the client'))
    .option('--json', 'print JSON')
    .action(action as (...given: unknown[]) => void | Promise<void>)
}

function status(given: LinesOptions, command: Command): void {
  const options = withSiteConfig(given, command)
  const output = outputFor(options)
  for (const client of siteClients(options.stateDir)) {
    output.record({ ...client, log: client.log.slice(-options.lines) })
    output.line(`${clientText(client, options.lines)}\n`)
  }
}

async function watch(given: LinesOptions, command: Command): Promise<void> {
  const options = withSiteConfig(given, command)
  const output = outputFor(options)
  status(given, command)
  const stop = new AbortController()
  const watches = siteClients(options.stateDir).map(({ budget }) =>
    watchLog(
      () => readEventLog(options.stateDir, budget),
      (event) => {
        output.record(event)
        output.line(eventLine(event))
      },
      stop.signal,
    ),
  )
  await untilSignal(Promise.all(watches))
  stop.abort()
}

function pending(given: SiteOptions, command: Command): void {
  const options = withSiteConfig(given, command)
  const output = outputFor(options)
  const runs = pendingRuns(options.stateDir)
  for (const run of runs) output.record(run)
  output.line(runs.length === 0 ? 'no run waits for a decision' : pendingTable(runs))
}

function decideOn(decision: Decision['decision'], run: string, given: SiteOptions, command: Command): void {
  const options = withSiteConfig(given, command)
  const output = outputFor(options)
  const decided = decideRun(options.stateDir, run, decision, new Date())
  output.record(decided.decision)
  output.line(`${pendingTable([decided.run])}\n\n${decision}  signed at ${decided.decision.at}`)
}
