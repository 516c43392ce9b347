import { FedsvdError } from '@fedsvd/core/errors'
import { keepPreviousData, type UseQueryResult, useQuery } from '@tanstack/react-query'
import type { Questions } from './questions.ts'
import type { Answered, Asked } from './worker.ts'

interface Waiting {
  readonly asked: Asked
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: unknown) => void
}

/** A worker and its callers. Questions are answered in turn; one that has no caller any more is not begun. */
function accountantWorker() {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
  const waiting: Waiting[] = []
  let ids = 0
  const begin = (): void => {
    if (waiting[0] !== undefined) worker.postMessage(waiting[0].asked)
  }
  worker.addEventListener('message', ({ data: { answer, error } }: MessageEvent<Answered>) => {
    const done = waiting.shift()
    begin()
    if (error === undefined) done?.resolve(answer)
    else done?.reject(FedsvdError.fromJSON(error))
  })
  return (kind: keyof Questions, question: unknown, signal?: AbortSignal): Promise<unknown> => {
    ids += 1
    const asked: Asked = { id: ids, kind, question }
    return new Promise((resolve, reject) => {
      waiting.push({ asked, resolve, reject })
      if (waiting.length === 1) begin()
      signal?.addEventListener('abort', () => {
        const place = waiting.findIndex((one) => one.asked === asked)
        if (place > 0) waiting.splice(place, 1) // the first is under way
        reject(signal.reason)
      })
    })
  }
}

/** One for what the hand moves, one for what is drawn in the background: the first never waits for the second. */
const workers = new Map<string, ReturnType<typeof accountantWorker>>()
const BACKGROUND: readonly (keyof Questions)[] = ['burnDown', 'curve']

/** Asks the accountant. @throws FedsvdError as it does */
export async function ask<K extends keyof Questions>(
  kind: K,
  question: Questions[K]['asks'],
  signal?: AbortSignal,
): Promise<Questions[K]['answers']> {
  const name = BACKGROUND.includes(kind) ? 'background' : 'foreground'
  const worker = workers.get(name) ?? accountantWorker()
  workers.set(name, worker)
  return (await worker(kind, question, signal)) as Questions[K]['answers']
}

/** The accountant's answer; the one before stays while a new one is computed. Undefined asks nothing. */
export function useAnswer<K extends keyof Questions>(
  kind: K,
  question: Questions[K]['asks'] | undefined,
): UseQueryResult<Questions[K]['answers']> {
  return useQuery({
    queryKey: ['accountant', kind, question],
    enabled: question !== undefined,
    queryFn: ({ signal }) => ask(kind, question!, signal),
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
    retry: false,
  })
}
