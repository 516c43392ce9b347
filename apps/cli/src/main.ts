import { Command, CommanderError } from 'commander'
import { accountCommand } from './commands/account.ts'
import { auditCommand } from './commands/audit.ts'
import { auditLogCommand } from './commands/audit-log.ts'
import { backupCommand, restoreCommand } from './commands/backup.ts'
import { dataCommand } from './commands/data.ts'
import { demoCommand } from './commands/demo.ts'
import { exportCommand } from './commands/export.ts'
import { joinCommand } from './commands/join.ts'
import { ledgerCommand } from './commands/ledger.ts'
import { modelCommand } from './commands/model.ts'
import { operatorCommand } from './commands/operator.ts'
import { ownerCommand } from './commands/owner.ts'
import { planCommand } from './commands/plan.ts'
import { serveCommand } from './commands/serve.ts'
import { statementCommand } from './commands/statement.ts'
import { fail } from './output.ts'
import { handleOutputErrors } from './output-errors.ts'

/** The `fedsvd` command: one subcommand for each thing that a person does. */
export function program(): Command {
  return new Command('fedsvd')
    .description('Federated fine-tuning of language models under differential privacy.')
    .version('0.1.0')
    .showHelpAfterError('(add --help for the options and an example)')
    .addCommand(demoCommand())
    .addCommand(serveCommand())
    .addCommand(backupCommand())
    .addCommand(restoreCommand())
    .addCommand(joinCommand())
    .addCommand(dataCommand())
    .addCommand(planCommand())
    .addCommand(accountCommand())
    .addCommand(ledgerCommand())
    .addCommand(auditCommand())
    .addCommand(modelCommand())
    .addCommand(exportCommand())
    .addCommand(operatorCommand())
    .addCommand(ownerCommand())
    .addCommand(auditLogCommand())
    .addCommand(statementCommand())
}

/** Runs the command line; every failure is one line on stderr and a non-zero exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  const { stdout, stderr } = process
  const json = argv.includes('--json')
  handleOutputErrors({ stdout, stderr, json, exit: (code) => process.exit(code) })
  try {
    await program().parseAsync(argv)
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode
    else fail(error, json)
  }
}
