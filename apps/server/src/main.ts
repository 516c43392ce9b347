import { isFedsvdError, systemFault } from '@fedsvd/core/errors'
import { completeConfig, settingsFromEnvironment } from './config.ts'
import { startCoordinator } from './server.ts'

/** Beside the grace period: closing the database and the evaluation takes less, unless something hangs. */
const CLOSING_MS = 20_000

/** The coordinator as a process of its own: settings from the environment, a clean end on SIGTERM and SIGINT. */
async function main(): Promise<void> {
  const config = completeConfig(settingsFromEnvironment())
  const coordinator = await startCoordinator(config)
  process.stdout.write(`${JSON.stringify({ event: 'listening', url: coordinator.url })}\n`)
  const signal = await new Promise<NodeJS.Signals>((resolve) => {
    process.once('SIGTERM', resolve)
    process.once('SIGINT', resolve)
  })
  process.stderr.write(`${signal}: finishing the requests under way\n`)
  const bound = config.graceSeconds * 1000 + CLOSING_MS
  setTimeout(() => {
    process.stderr.write(
      `not closed within ${bound / 1000} s: ended without waiting further; what was acknowledged is stored\n`,
    )
    process.exit(1)
  }, bound).unref()
  await coordinator[Symbol.asyncDispose]()
}

function tell(error: unknown): void {
  const known = isFedsvdError(error) ? error : systemFault(error)
  const unknown = error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.stderr.write(`${known?.message ?? unknown}\n`)
  process.exitCode = 1
}

process.on('uncaughtException', (error) => {
  tell(error)
  process.exit()
})
main().catch(tell)
