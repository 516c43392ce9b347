/**
 * A thread that holds one session of onnxruntime: `run` of the library does not give the thread back before it is done.
 * Plain JavaScript, so that the thread begins without a loader. What it is asked is answered in the order of asking.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { InferenceSession, Tensor } from 'onnxruntime-node'

const { model, settings } = workerData

async function run(inputs) {
  const feeds = Object.entries(inputs).map(([name, { shape, data }]) => [name, new Tensor(typeOf(data), data, shape)])
  const results = await session.run(Object.fromEntries(feeds))
  const outputs = Object.entries(results).map(([name, { dims, data }]) => [name, { shape: dims, data }])
  return Object.fromEntries(outputs)
}

function typeOf(data) {
  return data instanceof Int32Array ? 'int32' : 'float32'
}

/** An error as it can be sent; what the library throws is not always one. */
function sendable(error) {
  return error instanceof Error ? new Error(error.message) : new Error(String(error))
}

let session
try {
  session = await InferenceSession.create(model, settings)
  parentPort.postMessage({ isReady: true })
} catch (error) {
  parentPort.postMessage({ error: sendable(error) })
}

async function answer(inputs) {
  try {
    const outputs = await run(inputs)
    parentPort.postMessage({ outputs }, buffersOf(outputs))
  } catch (error) {
    parentPort.postMessage({ error: sendable(error) })
  }
}

parentPort.on('message', (inputs) => void answer(inputs))

/** The memory of the outputs is handed over, not copied. */
function buffersOf(outputs) {
  return [...new Set(Object.values(outputs).map(({ data }) => data.buffer))]
}
