/** The thread of the re-factorisation. Plain JavaScript, so that it can begin without a loader. */
import { parentPort, workerData } from 'node:worker_threads'
import { register } from 'tsx/esm/api'

register()
const { answerer } = await import('./answerer.ts')

const answer = answerer(workerData.extensions)
const respond = async (question) => {
  const { reply, transfer } = await answer(question)
  parentPort.postMessage(reply, transfer)
}
parentPort.on('message', (question) => void respond(question)) // what it throws ends the thread
parentPort.postMessage('ready')
