import { FedsvdError } from '@fedsvd/core/errors'
import type { beginPrivateRound } from '@fedsvd/core/privacy'
import { Command } from 'commander'
import { type AuditReport, runAudit } from '../audit/run-audit.ts'
import type { AuditSettings } from '../audit/settings.ts'
import { example, positiveInteger, positiveNumber, probability } from '../options.ts'
import { type Output, outputFor, table } from '../output.ts'

/**
 * `fedsvd audit`: measures what the mechanism leaks and holds it against what is claimed.
 *
 * @param begin the mechanism; a test hands in a broken one
 */
export function auditCommand(begin?: typeof beginPrivateRound): Command {
  return new Command('audit')
    .description(
      'Measure a lower bound on epsilon with canaries in one private round, next to the claimed upper bound; exit code 1 when it refutes the claim.',
    )
    .option('--records <count>', 'records of the client', positiveInteger, 1500)
    .option('--lot <count>', 'expected lot size', positiveInteger, 256)
    .option('--steps <count>', 'steps in all: rounds times local steps', positiveInteger, 40)
    .option('--epsilon <number>', 'budget that the noise is calibrated to', positiveNumber, 6)
    .option('--noise-multiplier <number>', 'instead: the noise itself', positiveNumber)
    .option('--delta <number>', 'at most 1 / records', probability, 1e-5)
    .option('--clip-norm <number>', 'clipping norm', positiveNumber, 1)
    .option('--canaries <count>', 'more see more: 10,000 is quick, 100,000 is sharp', positiveInteger, 50_000)
    .option('--confidence <number>', 'of the measured bound', probability, 0.95)
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      example('fedsvd audit --records 1500 --lot 256 --steps 40 --epsilon 6', 'fedsvd audit --json'),
    )
    .action((options: AuditSettings & { json?: boolean }) => {
      const output = outputFor(options)
      const report = runAudit(options, begin, progress(output))
      output.record(report)
      output.line(reportText(report))
      if (report.exceeded) throw exceeded(report)
    })
}

/** A line at each quarter of the steps. */
function progress(output: Output): (done: number, steps: number) => void {
  return (done, steps) => {
    if (Math.floor((4 * done) / steps) > Math.floor((4 * (done - 1)) / steps)) output.line(`step ${done} of ${steps}`)
  }
}

function reportText(report: AuditReport): string {
  const { event, best, delta, confidence, canaries, plans } = report
  const percent = `${Number((100 * confidence).toFixed(6))} %`
  const rows = [
    ['', 'epsilon', 'how'],
    ['claimed', `<= ${report.epsilonUpperBound.toFixed(3)}`, 'PLD accountant, from the event in the ledger'],
    ['measured', `>= ${report.epsilonLowerBound.toFixed(3)}`, `at ${percent} confidence, whatever the mechanism is`],
    ['measured', `>= ${report.epsilonLowerBoundOneRun.toFixed(3)}`, `the same by Steinke et al. 2023, Theorem 5.2`],
  ]
  return `
${table(rows)}

at delta ${delta}, unit record, add-or-remove-one; sample rate ${event.sampleRate.toFixed(4)}, noise multiplier ${event.noiseMultiplier.toFixed(4)}, ${event.steps} steps
canaries ${canaries}, each in or out by a fair coin; ${best.guesses} guesses, ${best.correct} right (the best of ${plans} plans, all paid for)
chance of guesses this good if the claim holds: at most ${report.pValue.toPrecision(2)}
verdict: ${report.exceeded ? 'REFUTED. The mechanism leaks more than is claimed' : 'the claim stands; an audit can refute a claim, never prove it'}`
}

function exceeded({ epsilonUpperBound, epsilonLowerBound, delta, confidence, pValue }: AuditReport): FedsvdError {
  return new FedsvdError('AUDIT_EXCEEDED', {
    expected: `guesses that a mechanism with epsilon ${epsilonUpperBound.toFixed(3)} at delta ${delta} allows`,
    got: `guesses that have a chance of at most ${pValue.toPrecision(2)} under it, and epsilon of at least ${epsilonLowerBound.toFixed(3)} at ${100 * confidence} % confidence`,
    remedy: 'Do not train with this build; run the tests of packages/core/src/privacy, and report it',
  })
}
