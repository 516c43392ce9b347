import type { Container } from './container.ts'
import { runFails, type Trial } from './trial.ts'

const EVENTS = '{"events":[{"sampleRate":0.01,"noiseMultiplier":1,"steps":1000}],"delta":1e-5}'

/** Commands that a site's image has no packages for. */
const OF_COORDINATORS = ['serve', 'backup', 'restore']

/** Runs every command that needs neither a coordinator nor a state of its own, and asks each other one for its help. */
export function tryCommands(trial: Trial, target: string, container: Container): void {
  const fedsvd = (title: string, args: readonly string[], expected: RegExp, input?: string): void =>
    trial.step(`${target}: ${title}`, () => {
      const printed = container.fedsvd(args, input === undefined ? {} : { input })
      if (!expected.test(printed)) throw new Error(`expected ${expected}, got:\n${printed}`)
    })
  fedsvd('--version', ['--version'], /^\d+\.\d+\.\d+/)
  fedsvd('--help', ['--help'], /Usage: fedsvd/)
  for (const command of commandsOf(container)) {
    if (target === 'site' && OF_COORDINATORS.includes(command)) {
      trial.step(`site: ${command} is refused by name`, () =>
        runFails(() => container.fedsvd([command, '--help']), /PACKAGE_MISSING: expected the package @fedsvd\/server/),
      )
    } else fedsvd(`${command} --help`, [command, '--help'], new RegExp(`Usage: fedsvd ${command}`))
  }
  fedsvd('plan', ['plan', '--records', '1500'], /noise multiplier/)
  fedsvd('account', ['account', '--json'], /"epsilonPld":\d/, EVENTS)
  fedsvd('audit', ['audit', '--canaries', '10000'], /epsilon/)
}

function commandsOf(container: Container): readonly string[] {
  const [, list = ''] = container.fedsvd(['--help']).split('Commands:')
  return [...list.matchAll(/^ {2}([\w-]+) /gm)].map(([, name]) => name!).filter((name) => name !== 'help')
}
