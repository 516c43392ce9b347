/**
 * How long the re-factorisation of all layers takes, on each device that can be opened here, and how exact it is.
 *
 *   npx tsx bench/svd.ts [--json] [--devices javascript,cpu,tfjs-wasm] [--cases 48x1024x8,48x4096x16] [--dense]
 *
 * A case is LAYERS x WIDTH x RANK. `productError` is ||B'A' - BA|| beside ||B|| ||A|| on random directions,
 * `orthonormality` the largest entry of A'A'^T - I, both over the first and the last layer. `--dense` adds what a dense
 * SVD of one product B A takes, times the layers, by the one-sided Jacobi of this repository up to a width of 256, and
 * by `torch.linalg.svd` where a `python3` with torch is there. Nothing is asserted: this is what `--svd-device` and
 * docs/reference/devices.md go by.
 */
import { execFileSync } from 'node:child_process'
import { isFedsvdError } from '../packages/core/src/errors.ts'
import { type ColumnMatrix, jacobiSvd, type LinearAlgebraDevice } from '../packages/core/src/linalg/index.ts'
import {
  type AdapterSchema,
  type AdapterState,
  refactorise,
  refactoriseOnDevice,
} from '../packages/core/src/lora/index.ts'
import { fillGaussian, seededSource } from '../packages/core/src/random/index.ts'
import { openDevice } from '../packages/engine/src/linear-algebra/index.ts'
import { SVD_DEVICES, type SvdDevice } from '../packages/engine/src/settings/index.ts'

interface Case {
  readonly layers: number
  readonly dOut: number
  readonly dIn: number
  readonly rank: number
}

interface Result extends Case {
  readonly device: string
  readonly milliseconds: number
  /** Of the processor, all threads together: what is left of it on a machine that does other things too. */
  readonly processorMilliseconds: number
  readonly productError: number
  readonly orthonormality: number
  readonly fallbacks: number
  readonly denseMilliseconds?: number
}

const USUAL = '2x512x8,48x1024x8,48x4096x16,32x4096x64,1x16384x256'
const REPEATS = 3
/** Of the dense SVD in this language, which takes the cube of it. */
const WIDEST_DENSE = 256

function option(name: string): string | undefined {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? undefined : process.argv[at + 1]
}

/** A of random orthonormal-like rows, B of a spectrum over four decades that no column shows. */
function stateOf({ layers: count, dOut, dIn, rank }: Case): { schema: AdapterSchema; state: AdapterState } {
  const layers = Array.from({ length: count }, (_, index) => ({ name: `layer.${index}`, dIn, dOut }))
  const values = (length: number, key: string) => {
    const drawn = new Float32Array(length)
    fillGaussian(seededSource('bench', key), drawn)
    return drawn
  }
  const a = values(rank * dIn, 'a').map((value) => value / Math.sqrt(dIn))
  const b = values(dOut * rank, 'b')
  const mirror = values(rank, 'mirror')
  const square = mirror.reduce((sum, value) => sum + value * value, 0)
  for (let row = 0; row < dOut; row += 1) {
    const entries = b.subarray(row * rank, (row + 1) * rank)
    for (let index = 0; index < rank; index += 1) entries[index]! *= 10 ** ((-4 * index) / Math.max(1, rank - 1))
    const along = entries.reduce((sum, value, index) => sum + value * mirror[index]!, 0)
    for (let index = 0; index < rank; index += 1) entries[index]! -= (2 * along * mirror[index]!) / square
  }
  return {
    schema: { rank, alpha: rank, headMode: 'frozen', head: [], layers },
    state: {
      basis: 0,
      head: [],
      a: layers.map(({ name }) => ({ name: `${name}.a`, shape: [rank, dIn], data: a.slice() })),
      b: layers.map(({ name }) => ({ name: `${name}.b`, shape: [dOut, rank], data: b.slice() })),
    },
  }
}

const norm = (values: Float32Array | Float64Array) => {
  let sum = 0
  for (const value of values) sum += value * value
  return Math.sqrt(sum)
}

/** B (A x) for a random x. */
function applied({ a, b }: AdapterState, layer: number, x: Float64Array): Float64Array {
  const [rank, dIn] = a[layer]!.shape as [number, number]
  const inner = new Float64Array(rank)
  for (let row = 0; row < rank; row += 1) {
    for (let at = 0; at < dIn; at += 1) inner[row]! += a[layer]!.data[row * dIn + at]! * x[at]!
  }
  return Float64Array.from({ length: b[layer]!.shape[0]! }, (_, row) =>
    inner.reduce((sum, value, at) => sum + value * b[layer]!.data[row * rank + at]!, 0),
  )
}

function errorsOf(before: AdapterState, after: AdapterState, { layers, dIn, rank }: Case) {
  let [productError, orthonormality] = [0, 0]
  for (const layer of new Set([0, layers - 1])) {
    const x = new Float64Array(dIn)
    fillGaussian(seededSource('bench', 'direction', layer), x)
    const [one, other] = [applied(before, layer, x), applied(after, layer, x)]
    const size = norm(before.a[layer]!.data) * norm(before.b[layer]!.data)
    productError = Math.max(productError, norm(one.map((value, at) => value - other[at]!)) / size)
    const { data } = after.a[layer]!
    for (let left = 0; left < rank; left += 1) {
      for (let right = 0; right <= left; right += 1) {
        let sum = left === right ? -1 : 0
        for (let at = 0; at < dIn; at += 1) sum += data[left * dIn + at]! * data[right * dIn + at]!
        orthonormality = Math.max(orthonormality, Math.abs(sum))
      }
    }
  }
  return { productError, orthonormality }
}

/** A dense SVD of one product, times the layers; undefined where there is nothing to compute it with. */
function denseMilliseconds({ layers, dOut, dIn }: Case): number | undefined {
  if (!process.argv.includes('--dense')) return undefined
  try {
    const program = `import time,torch;x=torch.randn(${dOut},${dIn});t=time.time();torch.linalg.svd(x);print(time.time()-t)`
    return 1000 * layers * Number(execFileSync('python3', ['-c', program], { stdio: ['ignore', 'pipe', 'ignore'] }))
  } catch {
    if (Math.max(dOut, dIn) > WIDEST_DENSE) return undefined
  }
  const product: ColumnMatrix = { rows: dOut, columns: dIn, data: new Float64Array(dOut * dIn) }
  fillGaussian(seededSource('bench', 'dense'), product.data)
  const begin = performance.now()
  jacobiSvd(product)
  return layers * (performance.now() - begin)
}

async function measure(shape: Case, name: string, device: LinearAlgebraDevice | undefined): Promise<Result> {
  const { schema, state } = stateOf(shape)
  const times: number[] = []
  const processor: number[] = []
  let made: { readonly state: AdapterState; readonly fallbacks: readonly string[] } | undefined
  for (let repeat = 0; repeat < REPEATS; repeat += 1) {
    const [begin, used] = [performance.now(), process.cpuUsage()]
    made = device ? await refactoriseOnDevice(device, schema, state) : { ...refactorise(schema, state), fallbacks: [] }
    times.push(performance.now() - begin)
    const { user, system } = process.cpuUsage(used)
    processor.push((user + system) / 1000)
    if (times[0]! > 20_000) break
  }
  const dense = denseMilliseconds(shape)
  return {
    ...shape,
    device: name,
    milliseconds: Math.min(...times),
    processorMilliseconds: Math.min(...processor),
    ...errorsOf(state, made!.state, shape),
    fallbacks: made!.fallbacks.length,
    ...(dense !== undefined && { denseMilliseconds: dense }),
  }
}

const named = (option('devices') ?? SVD_DEVICES.filter((name) => name !== 'auto').join(',')).split(',')
const shapes = (option('cases') ?? USUAL).split(',').map((text): Case => {
  const [layers, width, rank] = text.split('x').map(Number) as [number, number, number]
  return { layers, dOut: width, dIn: width, rank }
})
const cases: Result[] = []
const missing: Record<string, string> = {}
for (const name of named as Exclude<SvdDevice, 'auto'>[]) {
  let device: LinearAlgebraDevice | undefined
  try {
    device = await openDevice(name, { threads: Number(option('threads') ?? 1) })
  } catch (error) {
    if (!isFedsvdError(error)) throw error
    missing[name] = error.message
    continue
  }
  for (const shape of shapes) {
    const result = await measure(shape, device?.name ?? name, device)
    cases.push(result)
    if (process.argv.includes('--json')) continue
    const {
      layers,
      dOut,
      rank,
      device: used,
      milliseconds,
      processorMilliseconds,
      productError,
      orthonormality,
      fallbacks,
    } = result
    console.log(
      `${used.padEnd(20)} ${`${layers} x ${dOut} x ${rank}`.padEnd(18)} ${milliseconds.toFixed(1).padStart(9)} ms (processor ${processorMilliseconds.toFixed(1)})  product ${productError.toExponential(1)}  orthonormality ${orthonormality.toExponential(1)}  fallbacks ${fallbacks}`,
    )
  }
}
if (process.argv.includes('--json')) console.log(JSON.stringify({ cases, missing }, null, 2))
else for (const [name, reason] of Object.entries(missing)) console.log(`${name}: ${reason}`)
process.exit() // Dawn keeps the process alive
