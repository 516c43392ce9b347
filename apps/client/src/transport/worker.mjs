/** The thread of a connection. Plain JavaScript, so that the thread can begin without a loader. */
import { parentPort, workerData } from 'node:worker_threads'
import { register } from 'tsx/esm/api'

register()
const { serveConnection } = await import('./serve-connection.ts')

serveConnection(parentPort, workerData)
parentPort.postMessage('ready')
