/** Resolves with `work`, or with undefined at the first SIGINT or SIGTERM, so that everything can be closed in order. */
export async function untilSignal<T>(work: Promise<T>): Promise<T | undefined> {
  let stop: () => void = () => {}
  const stopped = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined)
  })
  const signals = ['SIGINT', 'SIGTERM'] as const
  const alive = setInterval(() => {}, 2 ** 30) // a pending promise alone does not keep a process alive
  for (const signal of signals) process.once(signal, stop)
  try {
    return await Promise.race([work, stopped])
  } finally {
    clearInterval(alive)
    for (const signal of signals) process.off(signal, stop)
  }
}
