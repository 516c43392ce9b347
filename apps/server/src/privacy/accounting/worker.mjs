/**
 * The accounting thread: answers one question after the other. Plain JavaScript, so that the thread can begin without a
 * loader.
 */
import { parentPort } from 'node:worker_threads'
import { register } from 'tsx/esm/api'

register()
const { answer } = await import('./answer.ts')

parentPort.on('message', (question) => parentPort.postMessage(answer(question)))
parentPort.postMessage('ready')
