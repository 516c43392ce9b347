type Falsy<T> = T | false | undefined

/** Looks again and again until something is there; rejects, with what was seen last, when it takes too long. */
export async function until<T>(what: string, look: () => Falsy<T> | Promise<Falsy<T>>, timeoutMs = 20_000): Promise<T> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const seen = await look()
    if (seen) return seen
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${timeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
