import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { defaultOwnerKey, makeOwnerKey, publicKeyOf, readOwnerKey, signStatement } from '@fedsvd/client'
import { loadSiteData } from '@fedsvd/client/data'
import { budgetNameSchema, SITE_BUDGET } from '@fedsvd/client/ledger'
import { FedsvdError } from '@fedsvd/core/errors'
import { Command } from 'commander'
import { DATA_FORMATS, type DataOptions, readOptionsOf, withDataOptions } from '../data-options.ts'
import { example } from '../options.ts'
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
  return command
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
