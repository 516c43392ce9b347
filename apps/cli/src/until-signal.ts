/** Exit code of a process that was told to stop twice, and so ended without closing anything. */
export const AT_ONCE = 130

/** A signal may come twice for one press of Ctrl+C, from the terminal and from a program that passes it on. */
const ONE_PRESS_MS = 300

/**
 * Resolves with `work`, or with undefined at the first SIGINT or SIGTERM, so that everything can be closed in order;
 * also when the process that started this one with a channel between them is gone, however it went. The next signal
 * ends the process at once, with exit code 130.
 *
 * @param onStop says what becomes of the work; told once, before anything is closed
 */
export async function untilSignal<T>(
  work: Promise<T>,
  onStop: (reason: string) => void = () => {},
): Promise<T | undefined> {
  let stoppedAt: number | undefined
  let resolveStopped: () => void = () => {}
  const stopped = new Promise<undefined>((resolve) => {
    resolveStopped = () => resolve(undefined)
  })
  const stop = (reason: string): void => {
    if (stoppedAt === undefined) {
      stoppedAt = performance.now()
      onStop(reason)
      resolveStopped()
    } else if (reason !== 'disconnect' && performance.now() - stoppedAt > ONE_PRESS_MS) {
      process.exit(AT_ONCE)
    }
  }
  const reasons = ['SIGINT', 'SIGTERM', 'disconnect'] as const
  const listeners = reasons.map((reason) => ({ reason, listener: () => stop(reason) }))
  const alive = setInterval(() => {}, 2 ** 30) // a pending promise alone does not keep a process alive
  for (const { reason, listener } of listeners) process.on(reason, listener)
  try {
    return await Promise.race([work, stopped])
  } finally {
    clearInterval(alive)
    // Once it was told to stop, the process listens on for a second signal. A listener to the channel would keep it
    // alive.
    for (const { reason, listener } of listeners) {
      if (stoppedAt === undefined || reason === 'disconnect') process.off(reason, listener)
    }
  }
}
