import { Command } from 'commander'
import { missingPackage } from './missing-package.ts'

interface Entry {
  readonly description: string
  /** Loads what the command needs: nothing of it is loaded for another one. */
  readonly load: () => Promise<Command>
}

/** One command for each thing that a person does, in the order of the help. */
const COMMANDS: Readonly<Record<string, Entry>> = {
  demo: {
    description:
      'Fine-tune a real encoder on real e-mail with a coordinator and three private clients, on this machine.',
    load: async () => (await import('./commands/demo.ts')).demoCommand(),
  },
  simulate: {
    description: 'Try settings on public data: many federations on this machine, with the code of a live one.',
    load: async () => (await import('./commands/simulate.ts')).simulateCommand(),
  },
  serve: {
    description: 'Run the coordinator. Without DATABASE_URL it keeps an embedded database in its state folder.',
    load: async () => (await import('./commands/serve.ts')).serveCommand(),
  },
  backup: {
    description:
      'Back up a coordinator with its embedded database, running or not: its rows as they are at one moment, the tensors ' +
      'that they need, and its secrets (operator token and statement key). Keep the folder as safe as these.',
    load: async () => (await import('./commands/backup.ts')).backupCommand(),
  },
  restore: {
    description:
      'Make the state folder of a coordinator from a backup. All of it is verified first; the folder is there as a whole ' +
      'or not at all. The enrolment tokens and sessions in the backup are invalid afterwards.',
    load: async () => (await import('./commands/backup.ts')).restoreCommand(),
  },
  join: {
    description:
      'Run a client node: train on this site’s records under its own privacy budget. No record leaves the process.',
    load: async () => (await import('./commands/join.ts')).joinCommand(),
  },
  site: {
    description: 'See what the client of this site is at, and decide about runs that wait; needs no coordinator.',
    load: async () => (await import('./commands/site.ts')).siteCommand(),
  },
  data: {
    description: 'Look at a data set before it is used; needs no coordinator.',
    load: async () => (await import('./commands/data.ts')).dataCommand(),
  },
  plan: {
    description: 'Show what a privacy budget buys: the noise for a number of rounds, or the rounds for a noise.',
    load: async () => (await import('./commands/plan.ts')).planCommand(),
  },
  account: {
    description: 'Read privacy events as JSON on standard input and print what they cost together.',
    load: async () => (await import('./commands/account.ts')).accountCommand(),
  },
  ledger: {
    description: "Read this site's own privacy ledgers; needs no coordinator and changes nothing.",
    load: async () => (await import('./commands/ledger.ts')).ledgerCommand(),
  },
  audit: {
    description:
      'Measure a lower bound on epsilon with canaries in one private round, next to the claimed upper bound; exit code 1 when it refutes the claim.',
    load: async () => (await import('./commands/audit.ts')).auditCommand(),
  },
  run: {
    description: 'Open runs at a coordinator, price them, watch and control them.',
    load: async () => (await import('./commands/run.ts')).runCommand(),
  },
  client: {
    description: 'Look at the clients of a coordinator, cap what they spend, and revoke them.',
    load: async () => (await import('./commands/client.ts')).clientCommand(),
  },
  token: {
    description: 'Make, list and withdraw the tokens with which sites enrol.',
    load: async () => (await import('./commands/token.ts')).tokenCommand(),
  },
  profile: {
    description: 'Keep coordinators and the credentials for them, so that other commands need neither.',
    load: async () => (await import('./commands/profile.ts')).profileCommand(),
  },
  model: {
    description:
      'Look at the checkpoints of this machine and of a coordinator, and fetch them from a hub; give the states of runs names.',
    load: async () => (await import('./commands/model.ts')).modelCommand(),
  },
  export: {
    description: 'Write a state of a run: as a PEFT adapter, as a whole checkpoint, or as an ONNX model.',
    load: async () => (await import('./commands/export.ts')).exportCommand(),
  },
  predict: {
    description: 'Ask a model: labels, tags or how a text goes on, from a run or an exported folder.',
    load: async () => (await import('./commands/predict.ts')).predictCommand(),
  },
  evaluate: {
    description: 'Measure a model on labelled records: accuracy, F1, confusion, calibration, perplexity.',
    load: async () => (await import('./commands/evaluate.ts')).evaluateCommand(),
  },
  'serve-model': {
    description: 'Serve a model over HTTP, in the shape of common inference servers.',
    load: async () => (await import('./commands/serve-model.ts')).serveModelCommand(),
  },
  personalise: {
    description: "Train a run's adapter on with the records of this site, without privacy, for this site alone.",
    load: async () => (await import('./personalise/command.ts')).personaliseCommand(),
  },
  operator: {
    description: 'Make, list and disable the operators of a coordinator.',
    load: async () => (await import('./commands/operator.ts')).operatorCommand(),
  },
  owner: {
    description: 'Sign statements of the data owner, with a key that the client does not hold; needs no coordinator.',
    load: async () => (await import('./commands/owner.ts')).ownerCommand(),
  },
  completion: {
    description: 'Print a script by which bash, zsh or fish completes commands, options and values.',
    load: async () => (await import('./commands/completion.ts')).completionCommand(),
  },
  'audit-log': {
    description: 'Read and verify the audit log of a coordinator, as an admin or an auditor.',
    load: async () => (await import('./commands/audit-log.ts')).auditLogCommand(),
  },
  statement: {
    description: 'Verify privacy statements of a coordinator.',
    load: async () => (await import('./commands/statement.ts')).statementCommand(),
  },
}

/** Which commands are loaded, and what becomes of one whose packages are not installed, as in the image of a site. */
export interface Wanted {
  isNamed(name: string): boolean
  /** Only its name and what it does, in place of PACKAGE_MISSING. */
  readonly mayLackPackages?: boolean
}

/** The whole of a command where `isNamed`, else its name and what it does. */
export async function commandsOf({ isNamed, mayLackPackages = false }: Wanted): Promise<readonly Command[]> {
  const commands = Object.entries(COMMANDS).map(async ([name, { description, load }]) => {
    const command = isNamed(name) ? await (mayLackPackages ? loadedOrBare(name, load) : load()) : new Command(name)
    return command.description(description)
  })
  return await Promise.all(commands)
}

async function loadedOrBare(name: string, load: Entry['load']): Promise<Command> {
  return await load().catch((error: unknown) => {
    if (missingPackage(error) === undefined) throw error
    return new Command(name)
  })
}
