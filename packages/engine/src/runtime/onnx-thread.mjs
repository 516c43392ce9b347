/**
 * The thread in which onnxruntime computes: `run` of the library does not give its thread back before it is done.
 * Plain JavaScript, so that the thread begins without a loader.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { answerInTurn, buffersOf } from './answer-in-turn.mjs'

const sessions = new Map()
const denormal = Float64Array.of(Number.MIN_VALUE)

/**
 * The library makes the threads of each session take denormals for zero, and the thread that asks for it with the
 * first session of a process alone. Where that one was another thread, sessions leave denormals what they are: what
 * is computed must not depend on which of its threads computed it.
 */
async function open({ session, model, settings }) {
  const opened = await InferenceSession.create(model, settings)
  sessions.set(session, opened)
  if (denormal[0] === 0) return
  const { extra } = settings
  const kept = { ...settings, extra: { ...extra, session: { ...extra?.session, set_denormal_as_zero: '0' } } }
  await opened.release()
  sessions.set(session, await InferenceSession.create(model, kept))
}

async function run({ session, inputs }) {
  const feeds = Object.entries(inputs).map(([name, { shape, data }]) => [name, new Tensor(typeOf(data), data, shape)])
  const results = await sessions.get(session).run(Object.fromEntries(feeds))
  const outputs = Object.entries(results).map(([name, { dims, data }]) => [name, { shape: dims, data }])
  const value = Object.fromEntries(outputs)
  return { value, transfer: buffersOf(value) }
}

async function release({ session }) {
  const opened = sessions.get(session)
  sessions.delete(session)
  await opened?.release()
}

function typeOf(data) {
  return data instanceof Int32Array ? 'int32' : 'float32'
}

answerInTurn({ open, run, release })
