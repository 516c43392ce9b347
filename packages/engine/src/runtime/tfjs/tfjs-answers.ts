import type { Graph } from '@fedsvd/core/autodiff'
import { type FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import type { GraphRunner, RunTensor } from '../graph-runner.ts'
import { loadTfjsBackend, type TfjsBackendName } from './backends.ts'
import { createTfjsRunner } from './tfjs-runner.ts'

type Tensors = Readonly<Record<string, RunTensor>>

/** An answer, and the memory that is handed over with it. */
interface Reply {
  readonly value: unknown
  readonly transfer?: readonly ArrayBufferLike[]
}

/** What the thread of TensorFlow.js answers, by the kind of the question; graphs and tensors come as copies. */
export function tfjsAnswers(buffersOf: (tensors: Tensors) => readonly ArrayBufferLike[]) {
  const runners = new Map<number, GraphRunner>()
  return {
    /** @throws FedsvdError RUNTIME_UNAVAILABLE */
    load: async ({ backend }: { readonly backend: TfjsBackendName }): Promise<void> => {
      await loadTfjsBackend(backend)
    },
    open: async ({ session, graph, backend }: Opening): Promise<void> => {
      runners.set(session, await createTfjsRunner(graph, await loadTfjsBackend(backend)))
    },
    run: async ({ session, inputs }: { readonly session: number; readonly inputs: Tensors }): Promise<Reply> => {
      const value = await runners.get(session)!.run(inputs)
      return { value, transfer: buffersOf(value) }
    },
    release: async ({ session }: { readonly session: number }): Promise<void> => {
      const runner = runners.get(session)
      runners.delete(session)
      await runner?.[Symbol.asyncDispose]()
    },
  }
}

interface Opening {
  readonly session: number
  readonly graph: Graph
  readonly backend: TfjsBackendName
}

/** An error of the catalogue, as it crosses threads; undefined for any other. */
export function faultOf(error: unknown): ReturnType<FedsvdError['toJSON']> | undefined {
  return isFedsvdError(error) ? error.toJSON() : undefined
}
