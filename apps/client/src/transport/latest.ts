/** The newest value of something that comes and goes; whoever needs it waits until it is there. */
export class Latest<T> {
  private current: T | undefined
  private waiting: ((value: T) => void)[] = []

  set(value: T): void {
    this.current = value
    for (const resolve of this.waiting.splice(0)) resolve(value)
  }

  clear(): void {
    this.current = undefined
  }

  /** @throws the signal's reason when it aborts first */
  async value(signal: AbortSignal): Promise<T> {
    signal.throwIfAborted()
    if (this.current !== undefined) return this.current
    return await new Promise<T>((resolve, reject) => {
      this.waiting.push(resolve)
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
  }
}
