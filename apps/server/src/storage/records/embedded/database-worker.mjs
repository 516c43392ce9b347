/**
 * The embedded database: PGlite in a thread of its own, speaking PostgreSQL's protocol on a socket. Plain JavaScript,
 * so that the thread starts without a loader.
 */
import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'

/** One connection at a time: PGlite is one session, and transactions of two must not mix. */
const { dataDir, listen } = workerData
const database = await PGlite.create(dataDir)
const server = new PGLiteSocketServer({ db: database, ...listen, maxConnections: 2 })
await server.start()

parentPort.postMessage(server.getServerConn())
await once(parentPort, 'message')
await server.stop()
await database.close()
