import { FedsvdError } from '../errors.ts'
import { nearestName } from './nearest-name.ts'

/** What can be registered: it travels by its name. */
export interface Named {
  /** Small letters, digits and hyphens; it is what a run request and its manifest say. */
  readonly name: string
}

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
const LONGEST_NAME = 64
const LONGEST_SHOWN = 60

/** Everything of one kind that this process knows by name: what is built in, and what extensions have added. */
export class Registry<T extends Named> {
  readonly #kind: string
  readonly #byName = new Map<string, T>()

  /** @param kind what one of them is called in messages, such as "aggregation rule" */
  constructor(kind: string, builtIn: readonly T[]) {
    this.#kind = kind
    for (const one of builtIn) this.register(one)
  }

  /** Adds one. @throws FedsvdError CONFIG_INVALID for a name that is none, or is taken */
  register(added: T): void {
    const { name } = added
    if (typeof name !== 'string' || name.length > LONGEST_NAME || !NAME.test(name)) {
      throw new FedsvdError('CONFIG_INVALID', {
        expected: `a name of the ${this.#kind} in small letters, digits and hyphens, at most ${LONGEST_NAME} of them`,
        got: String(name).slice(0, LONGEST_SHOWN),
        remedy: 'Correct the name in the extension.',
      })
    }
    if (this.#byName.has(name)) {
      throw new FedsvdError('CONFIG_INVALID', {
        expected: `a name that no other ${this.#kind} has`,
        got: name,
        remedy: 'Choose another name in the extension, or load only one of the two.',
      })
    }
    this.#byName.set(name, added)
  }

  get names(): readonly string[] {
    return [...this.#byName.keys()]
  }

  get all(): readonly T[] {
    return [...this.#byName.values()]
  }

  find(name: string): T | undefined {
    return this.#byName.get(name)
  }

  /** @throws FedsvdError CONFIG_INVALID for a name that nothing is registered under */
  get(name: string): T {
    const found = this.find(name)
    if (found !== undefined) return found
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `the name of a known ${this.#kind}`,
      got: this.unknown(name),
      remedy: 'Correct the name, or load the extension that defines it with --extension.',
    })
  }

  /** What is said of a name that is not known here: the nearest known one, or all of them. */
  unknown(name: string): string {
    const shown = name.slice(0, LONGEST_SHOWN)
    const nearest = nearestName(shown, this.names)
    const known = nearest === undefined ? `known: ${this.names.join(', ')}` : `did you mean ${nearest}?`
    return `${shown}, which is no ${this.#kind} known here; ${known}`
  }
}
