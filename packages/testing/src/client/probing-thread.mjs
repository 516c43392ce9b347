/**
 * The thread of `probing-coordinator.ts`. Plain JavaScript, so that it can begin without a loader.
 */
import { randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import { parentPort, workerData } from 'node:worker_threads'
import { Server } from 'socket.io'

/** A cell that the process waits for while it does nothing else. */
const answered = new Int32Array(workerData.answered)
/** Tells that a request for a state has come (`fetched`), and that it was cut off (`cut`): it is never answered. */
const states = new EventEmitter()
const http = createServer((request, response) => {
  if (request.url.startsWith('/v1/blobs/')) {
    response.on('close', () => states.emit('cut'))
    states.emit('fetched')
    return
  }
  const reply = request.url === '/v1/enrol' ? { clientId: randomUUID() } : { nonce: 'n'.repeat(43) }
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(reply))
})
const io = new Server(http, { serveClient: false, pingInterval: 20 })
let socket
let heartbeats = 0
let probes = 0

io.of('/client').on('connection', (connected) => {
  socket = connected
  connected.emit('session', { sessionToken: 's'.repeat(43) })
  connected.conn.on('heartbeat', () => (heartbeats += 1))
  connected.on('ledger-report', (_report, reply) => reply({ agrees: true }))
  connected.on('round-failed', (failed) => parentPort.postMessage({ failed }))
  parentPort.postMessage({ connected: true })
})

/** Asks one question; how long its answer took, in milliseconds. */
async function ask(event, message) {
  const asked = performance.now()
  await socket.emitWithAck(event, ...(message === undefined ? [] : [message]))
  return performance.now() - asked
}

/** Asks all the time; how long each answer took, in milliseconds. */
async function watch({ event, message, everyMs, forMs }) {
  const times = []
  const pending = []
  for (const until = performance.now() + forMs; performance.now() < until; ) {
    pending.push((event === 'probe' ? ask(event) : ask(event, message)).then((time) => times.push(time)))
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
  await Promise.all(pending)
  return times
}

/** Closes a round while its state is fetched; how long it takes to cut off the request, in milliseconds. */
async function closeRound(message) {
  await once(states, 'fetched')
  const asked = performance.now()
  socket.emit('round-closed', message)
  await once(states, 'cut')
  return performance.now() - asked
}

/** Asks so often at once; how many of the questions were refused by that code. */
async function flood({ event, message, times, code }) {
  const replies = await Promise.all(Array.from({ length: times }, () => socket.emitWithAck(event, message)))
  return replies.filter(({ error }) => error?.code === code).length
}

async function answer({ enough, question, watched, closed, flooded, frozenMs }) {
  if (frozenMs !== undefined) {
    parentPort.postMessage({ frozen: true })
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, frozenMs)
    parentPort.postMessage({ thawed: true })
    return
  }
  if (flooded !== undefined) {
    parentPort.postMessage({ refused: await flood(flooded) })
    return
  }
  if (closed !== undefined) {
    parentPort.postMessage({ milliseconds: await closeRound(closed) })
    return
  }
  if (watched !== undefined) {
    parentPort.postMessage({ times: await watch(watched) })
    return
  }
  if (question !== undefined) {
    parentPort.postMessage({ milliseconds: await ask(question.event, question.message) })
    return
  }
  ;[heartbeats, probes] = [0, 0]
  Atomics.store(answered, 0, 0)
  parentPort.postMessage({ begun: true })
  while (heartbeats < enough || probes < enough) {
    await socket.emitWithAck('probe')
    probes += 1
  }
  Atomics.store(answered, 0, 1)
  Atomics.notify(answered, 0)
}

parentPort.on('message', (message) => void answer(message))

http.listen(0, '127.0.0.1', () => parentPort.postMessage({ port: http.address().port }))
