/**
 * Resolves with `work`, or with undefined at the first SIGINT or SIGTERM, so that everything can be closed in order; also when
 * the process that started this one with a channel between them is gone, however it went.
 */
export async function untilSignal<T>(work: Promise<T>): Promise<T | undefined> {
  let stop: () => void = () => {}
  const stopped = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined)
  })
  const reasons = ['SIGINT', 'SIGTERM', 'disconnect'] as const
  const alive = setInterval(() => {}, 2 ** 30) // a pending promise alone does not keep a process alive
  for (const reason of reasons) process.once(reason, stop)
  try {
    return await Promise.race([work, stopped])
  } finally {
    clearInterval(alive)
    for (const reason of reasons) process.off(reason, stop)
  }
}
