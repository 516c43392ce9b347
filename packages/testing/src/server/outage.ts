import { FedsvdError } from '@fedsvd/core/errors'
import type { Faults } from './crash-recovery-harness.ts'

/** A time in which the database does not answer. */
export interface Outage {
  /** The first call that fails; 1 is the first of all. */
  readonly fromCall: number
  readonly calls: number
  /** Whether the first of them has its effect all the same, and only its answer is lost. */
  readonly firstHasEffect: boolean
}

/** A process that keeps running while all storage rejects for a while. */
export class ProcessInOutage implements Faults {
  calls = 0
  callsAtStart = 0
  readonly isDead = false
  readonly died = new Promise<never>(() => {})
  #outage: Outage | undefined

  constructor(outage?: Outage) {
    this.#outage = outage
  }

  hasStarted(): void {
    this.callsAtStart = this.calls
  }

  endOutage(): void {
    this.#outage = undefined
  }

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
    const { fromCall = 0, calls = 0, firstHasEffect = false } = this.#outage ?? {}
    const isAway = this.calls >= fromCall && this.calls < fromCall + calls
    if (isAway && firstHasEffect && this.calls === fromCall) await method()
    if (isAway) {
      throw new FedsvdError('DATABASE_UNAVAILABLE', {
        expected: 'the database to answer',
        got: 'an outage',
        remedy: 'Wait.',
      })
    }
    return await method()
  }
}
