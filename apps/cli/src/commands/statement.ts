import { verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { finiteEpsilon, pld, rdp } from '@fedsvd/core/accounting'
import { FedsvdError } from '@fedsvd/core/errors'
import { LIMITS, type SignedStatement, signedStatementSchema, statementText } from '@fedsvd/core/protocol'
import { publicKeyFrom } from '@fedsvd/engine/crypto'
import { atFile } from '@fedsvd/engine/files'
import { Command } from 'commander'
import { example } from '../options.ts'
import { outputFor } from '../output.ts'
import { parseInput } from '../parse-input.ts'
import { printable } from '../printable.ts'

interface VerifyOptions {
  readonly publicKey: string
  readonly json?: boolean
}

/** `fedsvd statement`: what to make of a privacy statement that one was handed. */
export function statementCommand(): Command {
  return new Command('statement').addCommand(
    new Command('verify')
      .description(
        'Check the signature of a statement and compute its epsilons again; exit code 1 when either differs.',
      )
      .argument('<file>', 'the statement, as the dashboard or GET /v1/runs/:runId/statements/:clientId gives it')
      .requiredOption(
        '--public-key <key>',
        'key of the coordinator, from GET /v1/statement-key, noted when it was trusted',
      )
      .option('--json', 'print the verdict as JSON')
      .addHelpText(
        'after',
        example('fedsvd statement verify statement.json --public-key 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'),
      )
      .action(verifyFile),
  )
}

async function verifyFile(file: string, options: VerifyOptions): Promise<void> {
  const remedy = 'Save the whole answer of the coordinator again, as it is.'
  const signed = parseInput(signedStatementSchema, await readJson(file), `a privacy statement in ${file}`, remedy)
  checkSignature(signed, options.publicKey)
  checkEpsilons(signed)
  const { run, client, guarantee } = signed.statement
  const output = outputFor(options)
  output.record({ valid: true, runId: run.runId, clientId: client.clientId, ...guarantee })
  output.line(`signed by the key given, and both epsilons follow from its events`)
  output.line(
    `${printable(client.name)} in ${printable(run.name)}: epsilon <= ${guarantee.epsilonPld} at delta ${guarantee.delta}`,
  )
  output.line(
    `what was spent so far (an odometer); the guarantee is the budget: epsilon ${guarantee.budget.epsilon} for this run, whose schedule is fixed, and the site's own for all runs`,
  )
  const { maxRecordsPerUnit } = guarantee
  const records = maxRecordsPerUnit === undefined ? '' : ` (at most ${maxRecordsPerUnit} records of each in use)`
  output.line(`per ${guarantee.unit}${records}, ${guarantee.relation}, against ${guarantee.adversary}`)
}

function checkSignature({ statement, publicKey, signature }: SignedStatement, trusted: string): void {
  if (publicKey !== trusted) throw notSigned(`the key ${trusted}`, `the key ${publicKey}`)
  const key = publicKeyFrom(publicKey)
  const isGood = verify(null, Buffer.from(statementText(statement)), key, Buffer.from(signature, 'base64url'))
  if (!isGood) throw notSigned('a statement as it was signed', 'one that was changed afterwards')
}

/** Bounds are computed with the same code, but perhaps by another release on another machine. */
function checkEpsilons({ statement: { events, guarantee } }: SignedStatement): void {
  const delta = Math.max(LIMITS.delta.least, guarantee.delta - (guarantee.deltaOfMissedSlots ?? 0))
  const again = { epsilonPld: pld.epsilonUpperBound(events, delta), epsilonRdp: rdp.epsilonUpperBound(events, delta) }
  for (const name of ['epsilonPld', 'epsilonRdp'] as const) {
    const [stated, computed] = [guarantee[name], finiteEpsilon(again[name])]
    if (Math.abs(stated - computed) <= 1e-6 * Math.max(1, computed)) continue
    throw new FedsvdError('LEDGER_MISMATCH', {
      expected: `${name} ${computed}, which its events come to`,
      got: String(stated),
      remedy: 'Do not rely on the statement; ask the coordinator for another one.',
    })
  }
}

function notSigned(expected: string, got: string): FedsvdError {
  return new FedsvdError('SIGNATURE_INVALID', { expected, got, remedy: 'Do not rely on the statement.' })
}

async function readJson(file: string): Promise<unknown> {
  const text = atFile(file, () => readFileSync(file, 'utf8'))
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new FedsvdError(
      'DATA_UNREADABLE',
      { expected: `a statement as JSON in ${file}`, got: (cause as Error).message, remedy: 'Export it again.' },
      { cause },
    )
  }
}
