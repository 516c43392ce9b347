/** Steps of which each is told when it is done; those after one that failed are tried all the same. */
export class Trial {
  #failed = 0
  #done = 0

  step(title: string, act: () => void): void {
    try {
      act()
      this.#tell(title)
    } catch (error) {
      this.#fail(title, error)
    }
  }

  async wait<T>(title: string, act: () => Promise<T>): Promise<T> {
    try {
      const result = await act()
      this.#tell(title)
      return result
    } catch (error) {
      this.#fail(title, error)
      throw new Error(`${title}: what follows needs it`, { cause: error })
    }
  }

  get summary(): { readonly done: number; readonly failed: number } {
    return { done: this.#done, failed: this.#failed }
  }

  #tell(title: string): void {
    this.#done++
    process.stdout.write(`ok      ${title}\n`)
  }

  #fail(title: string, error: unknown): void {
    this.#failed++
    process.stdout.write(`FAILED  ${title}\n${error instanceof Error ? error.message : String(error)}\n`)
  }
}

/** @throws Error where an act succeeds, or fails for another reason */
export function runFails(act: () => unknown, expected: RegExp): void {
  let printed: string
  try {
    printed = String(act())
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (expected.test(message)) return
    throw error
  }
  throw new Error(`expected a failure with ${expected}, got success:\n${printed}`)
}
