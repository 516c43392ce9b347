/** The newest value of something that comes and goes; whoever needs it waits until it is there. */
export class AwaitableValue<T> {
  #current: T | undefined
  readonly #waiting = new Set<(value: T) => void>()

  set(value: T): void {
    this.#current = value
    for (const resolve of this.#waiting) resolve(value)
    this.#waiting.clear()
  }

  /** Forgets the value; with an argument, only if it still is that one. */
  clear(onlyIf: T | undefined = this.#current): void {
    if (this.#current === onlyIf) this.#current = undefined
  }

  /** The value, now or when there is one. @throws the signal's reason when it aborts first */
  async value(signal: AbortSignal): Promise<T> {
    signal.throwIfAborted()
    if (this.#current !== undefined) return this.#current
    let settle: ((value: T) => void) | undefined
    let stop: (() => void) | undefined
    try {
      return await new Promise<T>((resolve, reject) => {
        settle = resolve
        stop = () => reject(signal.reason as Error)
        this.#waiting.add(resolve)
        signal.addEventListener('abort', stop)
      })
    } finally {
      if (settle !== undefined) this.#waiting.delete(settle)
      if (stop !== undefined) signal.removeEventListener('abort', stop)
    }
  }
}
