/**
 * A thread's side of `asked-thread.ts`: questions are answered one after the other. Plain JavaScript, so that a thread
 * can begin without a loader.
 */
import { parentPort } from 'node:worker_threads'

/**
 * @param answers for each kind of question what answers it: the value, and whose memory is handed over with it
 * @param faultOf an error of the catalogue as it crosses threads; undefined for any other
 */
export function answerInTurn(answers, faultOf = () => undefined) {
  const answer = async ({ id, kind, ...question }) => {
    try {
      const { value, transfer = [] } = (await answers[kind](question)) ?? {}
      parentPort.postMessage({ id, value }, transfer)
    } catch (error) {
      parentPort.postMessage({ id, ...told(error, faultOf(error)) })
    }
  }
  let last = Promise.resolve()
  parentPort.on('message', (question) => {
    last = last.then(() => answer(question))
  })
}

/** The memory of tensors, once each: it is handed over, not copied. */
export function buffersOf(tensors) {
  return [...new Set(Object.values(tensors).map(({ data }) => data.buffer))]
}

/** An error as it can be sent; what a library throws is not always one. */
function told(error, fault) {
  if (fault !== undefined) return { fault }
  return { error: new Error(error instanceof Error ? error.message : String(error)) }
}
