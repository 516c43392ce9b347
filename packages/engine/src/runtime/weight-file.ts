import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Constant, type OnnxGraph, toOnnx } from '@fedsvd/core/autodiff'

/** Weights begin at multiples of this, so that the runtime can map them. */
const ALIGNMENT = 4096

/** Smaller constants stay in the model: axes, scalars, and what shape inference reads. */
const MIN_BYTES = 16 * 1024

/** A model on disk: the graph, and its weights in a file beside it that the runtime maps instead of copying. */
export interface ModelFiles extends AsyncDisposable {
  readonly modelPath: string
}

/**
 * Writes a graph to a private folder of the system's temporary files, one weight at a time. Without this a model of 2
 * GB cannot be encoded at all, and a smaller one is in memory several times while it is loaded.
 *
 * Disposing deletes the files; a runtime that has mapped them keeps what it maps, except on Windows.
 */
export async function writeModelFiles(graph: OnnxGraph, name: string): Promise<ModelFiles> {
  const folder = await mkdtemp(path.join(tmpdir(), 'fedsvd-model-'))
  const location = 'weights.bin'
  try {
    const places = placesOf(graph.constants)
    await using weights = await open(path.join(folder, location), 'wx', 0o600)
    for (const [{ data }, offset] of places) {
      await weights.write(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 0, data.byteLength, offset)
    }
    await using model = await open(path.join(folder, 'model.onnx'), 'wx', 0o600)
    await model.writeFile(
      toOnnx(graph, name, (constant) => {
        const offset = places.get(constant)
        return offset === undefined ? undefined : { location, offset }
      }),
    )
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
  return {
    modelPath: path.join(folder, 'model.onnx'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

/** The bytes of all constants. */
export function weightBytes({ constants }: OnnxGraph): number {
  return constants.reduce((sum, { data }) => sum + data.byteLength, 0)
}

function placesOf(constants: readonly Constant[]): ReadonlyMap<Constant, number> {
  const places = new Map<Constant, number>()
  let end = 0
  for (const constant of constants) {
    if (constant.data.byteLength < MIN_BYTES) continue
    places.set(constant, end)
    end = Math.ceil((end + constant.data.byteLength) / ALIGNMENT) * ALIGNMENT
  }
  return places
}
