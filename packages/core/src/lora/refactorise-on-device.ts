import {
  type DeviceStack,
  jacobiEigen,
  type LinearAlgebraDevice,
  type StackShape,
  symmetricEigen,
} from '../linalg/index.ts'
import type { NamedTensor } from '../tensor/index.ts'
import { DEVICE_TOLERANCES, layerMaps, writeRowMajor } from './device-factors.ts'
import { directionsOf, type Factors, meetsTolerances, sortedFactors } from './factors.ts'
import { type RefactorisedState, refactoriseLayer, rowMajorFactors } from './refactorise.ts'
import type { AdapterSchema, AdapterState } from './schema.ts'

/** Passes over a layer: squares lose half the digits, and the second pass starts from factors that are nearly right. */
const PASSES = { float32: 2, float64: 1 } as const
const MAX_PASSES = 2

export interface DeviceRefactorised extends RefactorisedState {
  /** Names of the layers that the device could not do within its tolerances, and that the exact route did. */
  readonly fallbacks: readonly string[]
}

/**
 * {@link refactorise} with the large products on a device, all layers of a shape at once: Gram matrices of A and B and
 * two products there, Cholesky factors and eigenvectors of rank x rank in float64 here.
 *
 * Each layer's result is then held, in float64 on the host, against the factors that came in, whatever the device did:
 * the product B A, the row space of A, its orthonormality, and the orthogonality of B's columns. A layer that misses a
 * tolerance, or for which A is rank-deficient to the device's precision, goes through the exact route and is listed.
 *
 * @throws RangeError when a factor holds NaN or infinity, and what the device throws
 */
export async function refactoriseOnDevice(
  device: LinearAlgebraDevice,
  schema: AdapterSchema,
  state: AdapterState,
): Promise<DeviceRefactorised> {
  const results: Factors[] = []
  const fallbacks: string[] = []
  for (const indices of stacks(schema, device.maxStackBytes)) {
    const [a, b] = [indices.map((index) => state.a[index]!), indices.map((index) => state.b[index]!)]
    const computed = await refactoriseStack(device, a, b)
    const directions = directionsOf(schema.rank, schema.layers[indices[0]!]!.dIn)
    for (const [position, index] of indices.entries()) {
      const factors = computed[position]
      const isGood =
        factors !== undefined && meetsTolerances(device.precision, a[position]!, b[position]!, factors, directions)
      if (!isGood) fallbacks.push(schema.layers[index]!.name)
      results[index] = isGood ? factors : rowMajorFactors(refactoriseLayer(a[position]!, b[position]!))
    }
  }
  return {
    state: {
      basis: state.basis + 1,
      a: state.a.map((tensor, index) => ({ ...tensor, data: results[index]!.a })),
      b: state.b.map((tensor, index) => ({ ...tensor, data: results[index]!.b })),
      head: state.head,
    },
    spectra: results.map(({ singularValues }) => singularValues),
    fallbacks,
  }
}

type Tensors = readonly NamedTensor[]

/** Indices of layers of one shape, as many together as fit into a stack. */
function stacks({ rank, layers }: AdapterSchema, maxStackBytes: number): readonly (readonly number[])[] {
  const groups = new Map<string, number[][]>()
  for (const [index, { dIn, dOut }] of layers.entries()) {
    const shape = `${dOut} x ${dIn}`
    const most = Math.max(1, Math.floor(maxStackBytes / (4 * rank * Math.max(dIn, dOut))))
    const group = groups.get(shape) ?? [[]]
    if (group.at(-1)!.length === most) group.push([])
    group.at(-1)!.push(index)
    groups.set(shape, group)
  }
  return [...groups.values()].flat()
}

/** Undefined for the layers whose Gram matrices give no maps. */
async function refactoriseStack(
  device: LinearAlgebraDevice,
  a: Tensors,
  b: Tensors,
): Promise<readonly (Factors | undefined)[]> {
  const count = a.length
  const [rank, dIn] = a[0]!.shape as [number, number]
  const dOut = b[0]!.shape[0]!
  const scales = { a: a.map(powerOfTwo), b: b.map(powerOfTwo) }
  const { smallestPivot } = DEVICE_TOLERANCES[device.precision]
  const isLost = new Set<number>()
  let [left, right]: [DeviceStack?, DeviceStack?] = []
  const [shapeOfA, shapeOfB] = [
    { count, rows: dIn, columns: rank },
    { count, rows: dOut, columns: rank },
  ]
  try {
    left = await device.upload(shapeOfA, stacked(a, scales.a, rank))
    right = await device.upload(shapeOfB, stacked(b, scales.b))
    for (let pass = 1, isSettled = false; pass <= MAX_PASSES && !isSettled; pass += 1) {
      const [gramsOfA, gramsOfB] = [await gramsOf(left, shapeOfA), await gramsOf(right, shapeOfB)]
      const [mapsOfA, mapsOfB] = [new Float64Array(gramsOfA.length), new Float64Array(gramsOfB.length)]
      // The second pass begins with columns that are nearly orthogonal, however small some of them are.
      const eigen = pass === 1 ? symmetricEigen : jacobiEigen
      isSettled = pass >= PASSES[device.precision]
      for (let layer = 0; layer < count; layer += 1) {
        const [start, end] = [layer * rank * rank, (layer + 1) * rank * rank]
        const grams = [gramsOfA.subarray(start, end), gramsOfB.subarray(start, end)] as const
        const maps = isLost.has(layer) ? undefined : layerMaps(rank, ...grams, smallestPivot, eigen)
        if (maps === undefined) {
          isLost.add(layer)
          continue
        }
        isSettled &&= maps.isSettled || pass > 1
        writeRowMajor(maps.ofA, mapsOfA, start)
        writeRowMajor(maps.ofB, mapsOfB, start)
      }
      left = await replaced(left, mapsOfA)
      right = await replaced(right, mapsOfB)
    }
    const [valuesOfA, valuesOfB] = [await valuesOf(left, shapeOfA), await valuesOf(right, shapeOfB)]
    return a.map((_, layer) => {
      if (isLost.has(layer)) return undefined
      return sortedFactors({
        rank,
        aTransposed: valuesOfA.subarray(layer * dIn * rank, (layer + 1) * dIn * rank),
        b: valuesOfB.subarray(layer * dOut * rank, (layer + 1) * dOut * rank),
        scale: scales.a[layer]! * scales.b[layer]!,
      })
    })
  } finally {
    left?.release()
    right?.release()
  }
}

const gramsOf = async (stack: DeviceStack, { count, columns }: StackShape) =>
  ofLength(count * columns * columns, await stack.gram())

const valuesOf = async (stack: DeviceStack, { count, rows, columns }: StackShape) =>
  ofLength(count * rows * columns, await stack.read())

/** What a device gives back of another length fits no factor, and a norm of nothing is within any tolerance. */
function ofLength<T extends ArrayLike<number>>(expected: number, values: T): T {
  if (values?.length === expected) return values
  throw new RangeError(`expected ${expected} numbers from the device, got ${values?.length ?? 'none'}`)
}

async function replaced(stack: DeviceStack, maps: Float64Array): Promise<DeviceStack> {
  const next = await stack.times(maps)
  stack.release()
  return next
}

/**
 * The power of two that brings the largest entry to between 1 and 2: exact, and squares neither underflow nor overflow.
 */
function powerOfTwo({ data }: NamedTensor): number {
  let largest = 0
  for (let index = 0; index < data.length; index += 1) largest = Math.max(largest, Math.abs(data[index]!))
  return largest > 0 && largest < Number.POSITIVE_INFINITY ? 2 ** Math.floor(Math.log2(largest)) : 1
}

/**
 * The tensors one after the other, each divided by its scale; of `rank` rows each and transposed where that is given.
 */
function stacked(tensors: Tensors, scales: readonly number[], rank?: number): Float32Array {
  const size = tensors[0]!.data.length
  const stack = new Float32Array(tensors.length * size)
  for (const [layer, { data }] of tensors.entries()) {
    const target = stack.subarray(layer * size, (layer + 1) * size)
    const factor = 1 / scales[layer]!
    if (rank === undefined) for (let index = 0; index < size; index += 1) target[index] = data[index]! * factor
    else {
      const columns = size / rank
      for (let row = 0; row < rank; row += 1) {
        for (let index = 0; index < columns; index += 1)
          target[index * rank + row] = data[row * columns + index]! * factor
      }
    }
  }
  return stack
}
