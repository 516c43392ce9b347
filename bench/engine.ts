/**
 * The clipped DP step beside the same step in PyTorch: examples a second, peak memory, and their ratio.
 *
 *   npm run bench:engine -- [--json] [--only MODEL] [--lengths fixed|real] [--seconds N] [--rounds N] [--threads N]
 *                           [--lot RECORDS] [--torch-batch RECORDS]
 *
 * Both sides are processes of their own that keep their model and run by turns, `--rounds` turns of `--seconds` each; a
 * ratio is taken within a turn and the median over the turns is reported. On a machine that others use too, look at
 * `cpuRatio`: the same from processor seconds.
 *
 * PyTorch's batch size is the fastest of several unless it is given.
 *
 * `fixed` is 128 tokens a record. `real` draws lengths from the starter mails, cut at the model's own limit. PyTorch
 * pads a batch to its longest record; `sortedRatio` is against PyTorch with its lot sorted by length first, as fedsvd
 * does.
 *
 * PyTorch is only as fast as its BLAS, which `torchBlas` names: Debian's python3-torch wants libopenblas0-pthread
 * beside it.
 *
 * PyTorch runs through the first of `--python`, python3 and /usr/bin/python3 that can import torch; without one the
 * bench measures fedsvd alone.
 */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { TextRecord } from '../packages/engine/src/datasets/index.ts'
import { writeStarterCorpus } from '../packages/starter/src/corpus/index.ts'
import { loadStarterTokenizer } from '../packages/starter/src/index.ts'
import { ALPHA, CLASSES, MODELS, RANK } from './engine-models.ts'

const FIXED_TOKENS = 128
const LONGEST = Math.max(...Object.values(MODELS).map(({ maxTokens }) => maxTokens))
/** Netlib's, as Debian installs it where no other is. */
const REFERENCE_BLAS = /^libblas\.so/

const TORCH_BATCH_SIZES = [4, 8, 16, 32]

const { values: given } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string' },
    lengths: { type: 'string' },
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
    python: { type: 'string' },
    lot: { type: 'string' },
    'torch-batch': { type: 'string' },
  },
})
const [seconds, rounds, threads] = [Number(given.seconds), Number(given.rounds), Number(given.threads)]

interface Turn {
  readonly examplesPerSecond: number
  readonly examplesPerCpuSecond: number
}

/** A process that answers every line on its input with a line of JSON. */
class Side {
  readonly #process: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>
  /** The end of what it wrote to its error output. */
  #complaints = ''

  constructor(command: string, args: readonly string[], environment = process.env) {
    this.#process = spawn(command, args, { env: environment })
    this.#process.stderr.setEncoding('utf8').on('data', (said: string) => {
      this.#complaints = `${this.#complaints}${said}`.slice(-2000)
    })
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()
  }

  async answer<T>(): Promise<T> {
    const { value, done } = await this.#lines.next()
    if (done === true) throw new Error(await this.#whyItEnded())
    return JSON.parse(value) as T
  }

  async #whyItEnded(): Promise<string> {
    const { exitCode, signalCode } = this.#process
    if (exitCode === null && signalCode === null) await once(this.#process, 'close')
    const end = this.#process.signalCode ?? `exit code ${this.#process.exitCode}`
    return `${this.#process.spawnargs.slice(0, 3).join(' ')} ended early, ${end}: ${this.#complaints.trim()}`
  }

  async ask<T>(line: string): Promise<T> {
    this.#process.stdin.write(`${line}\n`)
    return await this.answer<T>()
  }

  async turn(order = ''): Promise<Turn> {
    return await this.ask<Turn>(`${seconds} ${order}`.trim())
  }

  async end(): Promise<number> {
    const { peakRssMb } = await this.ask<{ peakRssMb: number }>('end')
    this.#process.stdin.end()
    return peakRssMb
  }
}

function findPython(): string | undefined {
  return [given.python, 'python3', '/usr/bin/python3'].find((python) => {
    if (python === undefined) return false
    try {
      execFileSync(python, ['-c', 'import torch'], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  })
}

/** Tokens of mails of the starter corpus, evenly spread over it. */
async function realLengths(): Promise<readonly number[]> {
  const folder = mkdtempSync(join(tmpdir(), 'fedsvd-bench-'))
  const [{ clients }, tokenizer] = [await writeStarterCorpus(folder), await loadStarterTokenizer()]
  const every = 16
  const lines = clients.flatMap(({ file }) =>
    readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .filter((_, n) => n % every === 0),
  )
  const lengths: number[] = []
  for (const line of lines)
    lengths.push((await tokenizer.encode((JSON.parse(line) as TextRecord).text, LONGEST)).length)
  rmSync(folder, { recursive: true })
  return lengths
}

/** A lot with the distribution's own mix: quantiles, in an order that has nothing to do with length. */
function lotOf(distribution: readonly number[], size: number, maxTokens: number): readonly number[] {
  const ascending = [...distribution].sort((a, b) => a - b)
  const quantiles = Array.from(
    { length: size },
    (_, n) => ascending[Math.floor(((n + 0.5) / size) * ascending.length)]!,
  )
  const stride = [5, 7, 11, 13].find((candidate) => size % candidate !== 0)!
  return quantiles.map((_, n) => Math.min(quantiles[(n * stride) % size]!, maxTokens))
}

function median(values: readonly number[]): number {
  const ascending = [...values].sort((a, b) => a - b)
  const middle = ascending.length >> 1
  return ascending.length % 2 === 1 ? ascending[middle]! : (ascending[middle - 1]! + ascending[middle]!) / 2
}

async function measure(name: string, lengths: 'fixed' | 'real', tokens: readonly number[], python: string | undefined) {
  const file = (path: string) => fileURLToPath(new URL(path, import.meta.url))
  const ours = new Side(process.execPath, [
    ...process.execArgv,
    '--import',
    'tsx',
    file('engine-case.ts'),
    JSON.stringify({ model: name, threads, lengths: tokens }),
  ])
  await ours.answer()
  const request = {
    ...MODELS[name]!,
    threads,
    rank: RANK,
    scale: ALPHA / RANK,
    classes: CLASSES,
    batchSizes: given['torch-batch'] === undefined ? TORCH_BATCH_SIZES : [Number(given['torch-batch'])],
    lengths: tokens,
  }
  // Settings for old OpenBLAS builds slow down a current one.
  const { OPENBLAS_CORETYPE: _, OPENBLAS_L2_SIZE: __, ...environment } = process.env
  const torch =
    python === undefined ? undefined : new Side(python, [file('engine_torch.py'), JSON.stringify(request)], environment)
  const about = torch ? await torch.answer<{ version: string; blas: string; batchSize: number }>() : undefined
  const turns: { ours: Turn; torch?: Turn; sorted?: Turn }[] = []
  for (let round = 0; round < rounds; round++) {
    const own = await ours.turn()
    if (!torch) turns.push({ ours: own })
    else if (lengths === 'fixed') turns.push({ ours: own, torch: await torch.turn() })
    else turns.push({ ours: own, torch: await torch.turn(), sorted: await torch.turn('sorted') })
  }
  const peakRssMb = await ours.end()
  const torchPeakRssMb = await torch?.end()
  const over = (pick: (turn: (typeof turns)[number]) => number | undefined): number | undefined => {
    const values = turns.map(pick).filter((value) => value !== undefined)
    return values.length > 0 ? Number(median(values).toPrecision(4)) : undefined
  }
  const ratioTo = (side: 'torch' | 'sorted', key: keyof Turn) =>
    over((turn) => turn[side] && turn.ours[key] / turn[side][key])
  return {
    model: name,
    lengths,
    examplesPerSecond: over((turn) => turn.ours.examplesPerSecond),
    peakRssMb: Math.round(peakRssMb),
    torchExamplesPerSecond: over((turn) => turn.torch?.examplesPerSecond),
    ratio: ratioTo('torch', 'examplesPerSecond'),
    cpuRatio: ratioTo('torch', 'examplesPerCpuSecond'),
    sortedRatio: ratioTo('sorted', 'examplesPerSecond'),
    sortedCpuRatio: ratioTo('sorted', 'examplesPerCpuSecond'),
    examplesPerCpuSecond: over((turn) => turn.ours.examplesPerCpuSecond),
    torchPeakRssMb: torchPeakRssMb === undefined ? undefined : Math.round(torchPeakRssMb),
    torch: about?.version,
    torchBlas: about?.blas,
    torchBatchSize: about?.batchSize,
    lot: tokens.length,
    meanTokens: Math.round(tokens.reduce((sum, length) => sum + length, 0) / tokens.length),
  }
}

const python = findPython()
const names = given.only ? [given.only] : Object.keys(MODELS)
const kinds = (['fixed', 'real'] as const).filter((kind) => given.lengths === undefined || given.lengths === kind)
const distribution = kinds.includes('real') ? await realLengths() : []
const cases: Awaited<ReturnType<typeof measure>>[] = []
for (const name of names) {
  const model = MODELS[name]
  const lot = Number(given.lot ?? model?.lot)
  if (!model) throw new Error(`expected one of ${Object.keys(MODELS).join(', ')}, got ${name}`)
  for (const kind of kinds) {
    const tokens =
      kind === 'fixed' ? Array.from({ length: lot }, () => FIXED_TOKENS) : lotOf(distribution, lot, model.maxTokens)
    const result = await measure(name, kind, tokens, python)
    cases.push(result)
    const { examplesPerSecond, peakRssMb, torchExamplesPerSecond, ratio, cpuRatio, sortedRatio } = result
    const tell = given.json ? console.error : console.log // one row may take minutes
    tell(
      `${name}, ${kind} (${result.meanTokens} tokens on average): ${examplesPerSecond} examples/s, ${peakRssMb} MiB` +
        (python
          ? `; PyTorch ${result.torch} ${torchExamplesPerSecond}; ratio ${ratio} (by processor time ${cpuRatio}` +
            `${sortedRatio === undefined ? '' : `; against a sorted lot ${sortedRatio}`})`
          : '; no PyTorch here'),
    )
  }
}
if (cases.some(({ torchBlas }) => torchBlas !== undefined && REFERENCE_BLAS.test(torchBlas))) {
  console.error(
    'PyTorch used the reference BLAS, which is some thirty times slower than an optimised one: no ratio above counts.',
  )
}
if (given.json) console.log(JSON.stringify({ cases, threads, rounds, seconds }, undefined, 2))
