import { FedsvdError } from '@fedsvd/core/errors'
import type { beginPrivateRound } from '@fedsvd/core/privacy'
import { EXECUTION_PROVIDERS, RUNTIMES, type RuntimeSettings } from '@fedsvd/engine/settings'
import { Command, Option } from 'commander'
import type { EngineAuditReport } from '../audit/engine-audit.ts'
import { type AuditReport, runAudit } from '../audit/run-audit.ts'
import type { AuditSettings } from '../audit/settings.ts'
import { DATA_FORMATS } from '../data-options.ts'
import { example, positiveInteger, positiveNumber, probability } from '../options.ts'
import { type Output, outputFor, table } from '../output.ts'

/**
 * `fedsvd audit`: measures what the mechanism leaks and holds it against what is claimed.
 *
 * @param begin the mechanism; a test hands in a broken one
 */
export function auditCommand(begin?: typeof beginPrivateRound): Command {
  return new Command('audit')
    .option('--records <count>', 'records of the client', positiveInteger, 1500)
    .option('--lot <count>', 'expected lot size', positiveInteger, 256)
    .option('--steps <count>', 'steps in all: rounds times local steps', positiveInteger, 40)
    .option('--epsilon <number>', 'budget that the noise is calibrated to', positiveNumber, 6)
    .option('--noise-multiplier <number>', 'instead: the noise itself', positiveNumber)
    .option('--delta <number>', 'at most 1 / records', probability, 1e-5)
    .option('--clip-norm <number>', 'clipping norm', positiveNumber, 1)
    .option('--canaries <count>', 'more see more: 10,000 is quick, 100,000 is sharp', positiveInteger, 50_000)
    .option('--confidence <number>', 'of the measured bound', probability, 0.95)
    .option('--engine', 'through the whole private step of the starter on a runtime of this machine: slower, sees more')
    .option('--data <path>', `with --engine: canaries from these records, in place of made-up texts; ${DATA_FORMATS}`)
    .addOption(new Option('--runtime <name>', 'with --engine: what computes').choices(RUNTIMES).default('onnxruntime'))
    .addOption(
      new Option('--execution-provider <name>', 'with --engine: device of onnxruntime')
        .choices(EXECUTION_PROVIDERS)
        .default('cpu'),
    )
    .option('--threads <count>', 'with --engine', positiveInteger, 1)
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      example(
        'fedsvd audit --records 1500 --lot 256 --steps 40 --epsilon 6',
        'fedsvd audit --engine',
        'fedsvd audit --json',
      ),
    )
    .action(async (options: AuditOptions) => {
      const output = outputFor(options)
      if (options.engine) return await throughEngine(options, output)
      const report = await runAudit(options, begin, progress(output))
      output.record(report)
      output.line(reportText(report))
      if (report.exceeded) throw exceeded(report)
    })
}

interface AuditOptions extends AuditSettings, RuntimeSettings {
  readonly engine?: boolean
  readonly data?: string
  readonly json?: boolean
}

/** The audit of the starter's engine, under the settings in force. */
async function throughEngine(options: AuditOptions, output: Output): Promise<void> {
  const { auditStarter } = await import('../audit/starter-audit.ts')
  const report = await auditStarter(options, (stage) => output.line(stage))
  output.record(report)
  output.line(engineText(report))
  if (report.exceeded) throw exceeded(report)
}

function engineText(report: EngineAuditReport): string {
  const { event, best, delta, confidence, canaries, dimension, plans, probes, knowingOthers } = report
  const percent = `${Number((100 * confidence).toFixed(6))} %`
  const rows = [
    ['', 'epsilon', 'how'],
    ['claimed', `<= ${report.epsilonUpperBound.toFixed(3)}`, 'PLD accountant, one step with every canary that is in'],
    [
      'measured',
      `>= ${report.epsilonLowerBoundIfIndependent.toFixed(3)}`,
      `at ${percent} confidence, if the noise is Gaussian and drawn afresh for every number`,
    ],
    [
      'measured',
      `>= ${report.epsilonLowerBoundOfFamily.toFixed(3)}`,
      `at ${percent} confidence, if the noise is Gaussian`,
    ],
    ['measured', `>= ${report.epsilonLowerBound.toFixed(3)}`, `at ${percent} confidence, whatever the mechanism is`],
  ]
  return `
${table(rows)}

at delta ${delta}, unit ${event.unit}, add-or-remove-one; sample rate 1, noise multiplier ${event.noiseMultiplier.toFixed(4)}, one step over ${dimension} numbers
canaries ${canaries}, each in or out by a fair coin; ${best.guesses} guesses, ${best.correct} right (the best of ${plans} plans, all paid for)
chance of guesses this good if the claim holds: at most ${report.pValue.toPrecision(2)}
with all other coins known: ${knowingOthers.guesses} guesses, ${knowingOthers.correct} right; chance, if the noise is independent: ${report.pValueIfIndependent.toPrecision(2)}
single records: ${probes.records} held against the integer bound, the largest at ${(100 * probes.largestShare).toFixed(2)} % of it; a record without a finite gradient ${probes.answersWhateverTheRecord ? 'adds nothing and stops nothing' : 'STOPS THE STEP OR SHOWS IN IT'}
verdict: ${report.exceeded ? 'REFUTED. The engine leaks more than is claimed' : 'the claim stands; an audit can refute a claim, never prove it'}`
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
