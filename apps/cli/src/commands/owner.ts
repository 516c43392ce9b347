import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { defaultOwnerKey, makeOwnerKey, publicKeyOf, readOwnerKey, signStatement } from '@fedsvd/client'
import { loadSiteData } from '@fedsvd/client/data'
import { budgetNameSchema, SITE_BUDGET } from '@fedsvd/client/ledger'
import { FedsvdError } from '@fedsvd/core/errors'
import { type Budget, budgetSchema, firstIssueInWords } from '@fedsvd/core/protocol'
import { Command, InvalidArgumentError, Option } from 'commander'
import { z } from 'zod'
import { DATA_FORMATS, type DataOptions, readOptionsOf, withDataOptions } from '../data-options.ts'
import { example, positiveNumber, probability } from '../options.ts'
import { outputFor } from '../output.ts'

interface KeyOptions {
  readonly key: string
  readonly json?: boolean
}

interface SignOptions extends KeyOptions, DataOptions {
  readonly data: string
  readonly budgetName: string
  readonly out: string
}

/** `fedsvd owner`: what the owner of a site's data signs. */
export function ownerCommand(): Command {
  const command = new Command('owner')
  command.addCommand(
    new Command('init')
      .description("Make the data owner's key; a site knows the owner by the first key that it sees.")
      .option('--key <file>', 'where to keep it, outside the state folder', defaultOwnerKey())
      .option('--json', 'print the public key as JSON')
      .addHelpText('after', example('fedsvd owner init --key /media/stick/owner-key.pem'))
      .action(init),
  )
  command.addCommand(
    withDataOptions(
      new Command('sign-disjoint')
        .description(
          'State that the people in a data set are in no other one of this site, so that it has its own budget.',
        )
        .requiredOption('--data <path>', `the data set: ${DATA_FORMATS}`)
        .requiredOption('--budget-name <name>', 'name of its budget, such as trial-2027')
        .requiredOption('--out <file>', 'where to write the statement'),
    )
      .option('--key <file>', "the data owner's key", defaultOwnerKey())
      .option('--json', 'print the statement as JSON')
      .addHelpText(
        'after',
        example(
          'fedsvd owner sign-disjoint --data trial.jsonl --budget-name trial-2027 --out statement.json',
          'fedsvd join … --data trial.jsonl --budget-name trial-2027 --disjoint-statement statement.json',
        ),
      )
      .action(signDisjoint),
  )
  command.addCommand(
    new Command('renew')
      .description(
        'State that a budget begins anew from a day on. What was released before counts in its own period: the ' +
          'guarantee is one of each period, and over all periods their sum.',
      )
      .addOption(new Option('--from <day>', 'the day in UTC, such as 2027-01-01').argParser(day).makeOptionMandatory())
      .addOption(
        new Option('--epsilon <number>', 'budget of the period').argParser(positiveNumber).makeOptionMandatory(),
      )
      .addOption(
        new Option('--delta <number>', 'at most 1 / declared records').argParser(probability).makeOptionMandatory(),
      )
      .option('--budget-name <name>', 'name of the budget', SITE_BUDGET)
      .requiredOption('--out <file>', 'where to write the statement')
      .option('--key <file>', "the data owner's key", defaultOwnerKey())
      .option('--json', 'print the statement as JSON')
      .addHelpText(
        'after',
        example(
          'fedsvd owner renew --from 2027-01-01 --epsilon 6 --delta 1e-6 --out renewal-2027.json',
          'fedsvd join … --renewal renewal-2027.json',
        ),
      )
      .action(renew),
  )
  return command
}

interface RenewOptions extends KeyOptions {
  readonly from: string
  readonly epsilon: number
  readonly delta: number
  readonly budgetName: string
  readonly out: string
}

async function renew({ from, budgetName: budget, out, key, ...options }: RenewOptions): Promise<void> {
  const output = outputFor(options)
  const { epsilon, delta } = parseBudget(options)
  if (budget !== SITE_BUDGET) requireBudgetName(budget)
  const draft = { kind: 'renewal' as const, budget, from, epsilon, delta, at: new Date().toISOString() }
  const statement = signStatement(draft, readOwnerKey(key))
  await writeFile(out, `${JSON.stringify(statement, null, 2)}\n`)
  output.record(statement)
  output.line(
    `signed    budget "${budget}" begins anew from ${from} (UTC) on: epsilon ${epsilon} at delta ${delta}, beside what earlier periods were given\nstatement ${out}`,
  )
}

/** Before a statement is signed that no client could use. */
function parseBudget({ epsilon, delta }: Pick<RenewOptions, 'epsilon' | 'delta'>): Budget {
  const given = { epsilon, delta }
  const result = budgetSchema.safeParse(given)
  if (result.success) return result.data
  const { expected, got } = firstIssueInWords(result.error, given, 'budget')
  throw new FedsvdError('CONFIG_INVALID', { expected, got, remedy: 'Correct --epsilon or --delta.' })
}

function day(text: string): string {
  if (z.iso.date().safeParse(text).success) return text
  throw new InvalidArgumentError('Expected a day such as 2027-01-01.')
}

function init({ key, json }: KeyOptions): void {
  const output = outputFor({ json })
  const publicKey = publicKeyOf(makeOwnerKey(key))
  output.record({ key, publicKey })
  output.line(`key         ${key}\npublic key  ${publicKey}`)
}

/** Before a statement is signed that no client could use. */
function requireBudgetName(name: string): void {
  if (budgetNameSchema.safeParse(name).success && name !== SITE_BUDGET) return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'a --budget-name of at most 40 small letters, digits and hyphens that begins with a letter',
    got: name === SITE_BUDGET ? `"${name}", the budget over all other data` : JSON.stringify(name.slice(0, 60)),
    remedy: 'Choose a name such as trial-2027.',
  })
}

async function signDisjoint({ data, budgetName: budget, out, key, ...options }: SignOptions): Promise<void> {
  const output = outputFor(options)
  requireBudgetName(budget)
  const owner = readOwnerKey(key)
  using site = await loadSiteData(data, readOptionsOf(options), tmpdir())
  const at = new Date().toISOString()
  const statement = signStatement({ kind: 'disjoint', budget, dataset: site.fingerprint, at }, owner)
  await writeFile(out, `${JSON.stringify(statement, null, 2)}\n`)
  output.record(statement)
  output.line(
    `signed    data set ${statement.dataset} shares no people with any other of this site; budget "${budget}"\nstatement ${out}`,
  )
}
