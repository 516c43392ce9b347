/**
 * Where a process is killed: at its n-th call to something durable or remote, before or after the call takes effect.
 */
export interface Death {
  readonly atCall: number
  readonly when: 'before' | 'after'
}

/**
 * Stands for a process that is killed, inside this one: once it is dead no call returns, so code that awaits one never
 * continues, exactly as after SIGKILL.
 */
export class KillableProcess {
  calls = 0
  readonly died: Promise<void>
  readonly #death: Death | undefined
  #isDead = false
  #die = (): void => {}

  constructor(death?: Death) {
    this.#death = death
    this.died = new Promise((resolve) => {
      this.#die = resolve
    })
  }

  get isDead(): boolean {
    return this.#isDead
  }

  /** The same object, all of whose asynchronous methods count as calls; objects inside it are wrapped alike. */
  wrap<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (object, name, receiver) => {
        const value: unknown = Reflect.get(object, name, receiver)
        if (typeof value === 'function') return (...args: unknown[]) => this.#call(() => value.apply(object, args))
        return typeof value === 'object' && value !== null ? this.wrap(value) : value
      },
    })
  }

  async #call(method: () => unknown): Promise<unknown> {
    this.calls += 1
    const isLast = this.calls === this.#death?.atCall
    if (isLast && this.#death?.when === 'before') this.#end()
    if (this.#isDead) return await new Promise(() => {})
    const result = await method()
    if (isLast) this.#end()
    if (this.#isDead) return await new Promise(() => {})
    return isStaged(result) ? this.wrap(result) : result
  }

  #end(): void {
    this.#isDead = true
    this.#die()
  }
}

/** Bytes that were staged, which are kept by a call of their own. */
function isStaged(result: unknown): result is object & { readonly keep: () => Promise<unknown> } {
  return typeof result === 'object' && result !== null && 'keep' in result && typeof result.keep === 'function'
}
