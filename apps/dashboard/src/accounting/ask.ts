import { FedsvdError } from '@fedsvd/core/errors'
import { keepPreviousData, type UseQueryResult, useQuery } from '@tanstack/react-query'
import type { Questions } from './questions.ts'
import type { Answered, Asked } from './worker.ts'

type Waiting = { readonly resolve: (answer: unknown) => void; readonly reject: (error: unknown) => void }

/** A worker and whoever waits for it; questions are answered in turn. */
function accountantWorker() {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
  const waiting = new Map<number, Waiting>()
  worker.addEventListener('message', ({ data: { id, answer, error } }: MessageEvent<Answered>) => {
    const waiter = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) waiter?.resolve(answer)
    else waiter?.reject(FedsvdError.fromJSON(error))
  })
  let ids = 0
  return (kind: keyof Questions, question: unknown): Promise<unknown> => {
    ids += 1
    const id = ids
    worker.postMessage({ id, kind, question } satisfies Asked)
    return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }))
  }
}

/** One for what the hand moves, one for what is drawn in the background: the first never waits for the second. */
const workers = new Map<string, ReturnType<typeof accountantWorker>>()

/** Asks the accountant. @throws FedsvdError as it does */
export async function ask<K extends keyof Questions>(
  kind: K,
  question: Questions[K]['asks'],
): Promise<Questions[K]['answers']> {
  const name = kind === 'burnDown' ? 'background' : 'foreground'
  const worker = workers.get(name) ?? accountantWorker()
  workers.set(name, worker)
  return (await worker(kind, question)) as Questions[K]['answers']
}

/** The accountant's answer; the one before stays while a new one is computed. Undefined asks nothing. */
export function useAnswer<K extends keyof Questions>(
  kind: K,
  question: Questions[K]['asks'] | undefined,
): UseQueryResult<Questions[K]['answers']> {
  return useQuery({
    queryKey: ['accountant', kind, question],
    enabled: question !== undefined,
    queryFn: () => ask(kind, question!),
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
    retry: false,
  })
}
