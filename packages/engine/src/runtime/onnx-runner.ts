import './no-telemetry.ts'
import { type Graph, toOnnx } from '@fedsvd/core/autodiff'
import { FedsvdError } from '@fedsvd/core/errors'
import { type InferenceSession, listSupportedBackends } from 'onnxruntime-node'
import type { ExecutionProvider } from '../settings/index.ts'
import { type GraphRunner, inputOf } from './graph-runner.ts'
import { forOnnxruntime } from './lower.ts'
import { threadedSession } from './session-thread.ts'
import { weightBytes, writeModelFiles } from './weight-file.ts'

const MAX_INLINE_BYTES = 128 * 2 ** 20

export interface OnnxRunnerOptions {
  /** Names the graph in the runtime's own messages. */
  readonly name: string
  /** Threads inside one operator; the caller's thread counts as one. */
  readonly threads: number
  /** Default: cpu. */
  readonly executionProvider?: ExecutionProvider
  /** Models with more bytes of weights are handed over as files; default: 128 MiB. */
  readonly maxInlineBytes?: number
  /** Writes one trace file per session, for finding slow operators. */
  readonly profilePrefix?: string
}

/**
 * Runs a graph on onnxruntime, in a thread of its own and with all graph optimisations. Operators that the device lacks
 * run on the CPU.
 *
 * @throws FedsvdError RUNTIME_UNAVAILABLE where the device cannot be used
 */
export async function createOnnxRunner(graph: Graph, options: OnnxRunnerOptions): Promise<GraphRunner> {
  const session = await createSession(graph, options)
  return {
    run: async (inputs) =>
      await session.run(
        Object.fromEntries(
          graph.inputs.map(({ name }) => {
            const { shape, data } = inputOf(inputs, name)
            return [name, { shape, data }]
          }),
        ),
      ),
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  }
}

/** Throws RUNTIME_UNAVAILABLE for a device that onnxruntime does not have on this platform. */
export function requireProvider(provider: ExecutionProvider): void {
  const known = listSupportedBackends().map(({ name }) => name)
  if (known.includes(provider)) return
  throw new FedsvdError('RUNTIME_UNAVAILABLE', {
    expected: `an execution provider of onnxruntime on this platform: ${known.join(', ')}`,
    got: provider,
    remedy: 'Choose one of them',
  })
}

async function createSession(graph: Graph, options: OnnxRunnerOptions): Promise<GraphRunner> {
  return await openSession(options, async (settings) => {
    const lowered = forOnnxruntime(graph)
    if (weightBytes(lowered) <= (options.maxInlineBytes ?? MAX_INLINE_BYTES)) {
      return await threadedSession(toOnnx(lowered, options.name), settings)
    }
    await using files = await writeModelFiles(lowered, options.name)
    return await threadedSession(files.modelPath, settings)
  })
}

/** What adds the libraries of a device that an installation leaves out. */
const COMMANDS: Partial<Record<ExecutionProvider, string>> = {
  cuda: ' ("ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node")',
}

/** A session on the device of the options. @throws FedsvdError RUNTIME_UNAVAILABLE where the device cannot be used */
export async function openSession<Session>(
  options: OnnxRunnerOptions,
  create: (settings: InferenceSession.SessionOptions) => Promise<Session>,
): Promise<Session> {
  const { executionProvider = 'cpu' } = options
  requireProvider(executionProvider)
  try {
    return await create(sessionOptions(executionProvider, options))
  } catch (cause) {
    if (executionProvider === 'cpu') throw cause
    throw new FedsvdError(
      'RUNTIME_UNAVAILABLE',
      {
        expected: `onnxruntime to start on ${executionProvider}`,
        got: `"${cause instanceof Error ? cause.message.split('\n', 1)[0] : 'an error'}"`,
        remedy: `Install the libraries of the device${COMMANDS[executionProvider] ?? ''}, or compute on another one: see docs/how-to/use-a-gpu.md`,
      },
      { cause },
    )
  }
}

function sessionOptions(
  executionProvider: ExecutionProvider,
  options: OnnxRunnerOptions,
): InferenceSession.SessionOptions {
  return {
    executionProviders: executionProvider === 'cpu' ? ['cpu'] : [executionProvider, 'cpu'],
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    enableMemPattern: false,
    logSeverityLevel: 3,
    ...(options.profilePrefix ? { enableProfiling: true, profileFilePrefix: options.profilePrefix } : {}),
    extra: { session: { set_denormal_as_zero: '1', intra_op: { allow_spinning: '0' } } },
  }
}
