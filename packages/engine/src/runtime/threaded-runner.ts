import type { AskedThread } from './asked-thread.ts'
import type { GraphRunner, RunTensor } from './graph-runner.ts'

type Tensors = Readonly<Record<string, RunTensor>>

/** Of all threads together: what runs in one of them is known by a number there. */
let lastSession = 0

/**
 * What computes in a thread that answers `open` (which is asked first, with what is given), `run` and `release`.
 *
 * @throws what opening it throws there
 */
export async function threadedRunner(
  thread: AskedThread,
  opening: object,
  transfer: readonly ArrayBuffer[],
): Promise<GraphRunner> {
  lastSession += 1
  const session = lastSession
  await thread.ask({ kind: 'open', session, ...opening }, transfer)
  let isReleased = false
  return {
    run: async (inputs) => {
      if (isReleased) throw new Error('the session has been released')
      return (await thread.ask({ kind: 'run', session, inputs })) as Tensors
    },
    [Symbol.asyncDispose]: async () => {
      if (isReleased) return
      isReleased = true
      await thread.ask({ kind: 'release', session }).catch(() => {}) // a thread that has ended holds nothing
    },
  }
}
