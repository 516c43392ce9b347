/**
 * Where a process dies: at its n-th call to something durable or remote, before or after the call has had its effect.
 */
export interface Death {
  readonly atCall: number
  readonly when: 'before' | 'after'
}

/**
 * A process that can be killed without a process: once it has died, no call returns any more, so whatever awaits one
 * never goes on, exactly as after SIGKILL.
 */
export class MortalProcess {
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
    return typeof result === 'object' && result !== null && 'keep' in result ? this.wrap(result) : result
  }

  #end(): void {
    this.#isDead = true
    this.#die()
  }
}
