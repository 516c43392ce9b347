import './no-telemetry.ts'
import { FedsvdError } from '@fedsvd/core/errors'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import type { RuntimeSettings } from '../settings/index.ts'
import { openSession } from './onnx-runner.ts'

/** A tensor of whole numbers as a model file takes it. */
export interface OnnxInput {
  readonly shape: readonly number[]
  readonly data: BigInt64Array
}

export interface OnnxOutput {
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/** A model in a file, whoever made it. Runs may not overlap. */
export interface OnnxFile extends AsyncDisposable {
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** One float32 output of the model for the given inputs. */
  run(inputs: Readonly<Record<string, OnnxInput>>, output: string): Promise<OnnxOutput>
}

/**
 * Opens an ONNX file on onnxruntime, with the device and the threads of the settings.
 *
 * @throws FedsvdError CHECKPOINT_INVALID for a file that is no model, RUNTIME_UNAVAILABLE for a device that is absent
 */
export async function openOnnxFile(path: string, { threads, executionProvider }: RuntimeSettings): Promise<OnnxFile> {
  const options = { name: path, threads, ...(executionProvider && { executionProvider }) }
  const session = await openSession(options, (settings) => InferenceSession.create(path, settings)).catch(
    (cause: unknown) => {
      throw cause instanceof FedsvdError ? cause : noModel(path, cause)
    },
  )
  return {
    inputs: session.inputNames,
    outputs: session.outputNames,
    run: async (inputs, output) => {
      const feeds = Object.entries(inputs).map(([name, { shape, data }]) => [name, new Tensor('int64', data, shape)])
      const found = (await session.run(Object.fromEntries(feeds), [output]))[output]!
      if (!(found.data instanceof Float32Array)) throw noModel(path, `${output} of type ${found.type}`)
      return { shape: found.dims, data: found.data }
    },
    [Symbol.asyncDispose]: () => session.release(),
  }
}

function noModel(path: string, cause: unknown): FedsvdError {
  const got = cause instanceof Error ? cause.message.split('\n', 1)[0]! : String(cause)
  return new FedsvdError(
    'CHECKPOINT_INVALID',
    {
      expected: `an ONNX model in float32 in ${path}`,
      got: `"${got.slice(0, 200)}"`,
      remedy: 'Export the run again, or copy the whole folder.',
    },
    { cause },
  )
}
