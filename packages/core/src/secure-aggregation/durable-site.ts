import type { SiteState } from './site-state.ts'

/** Puts a state on stable storage, in place of the one before, whole or not at all. */
export type SaveState = (state: SiteState) => Promise<void>

/**
 * A site's state with the rule that makes it safe: one transition at a time, each from the newest state, and what it
 * sends is returned only when the state behind it is stored. So whatever crashes when, a site has said nothing that its
 * stored state does not know of.
 */
export class DurableSite {
  #state: SiteState
  #last: Promise<unknown> = Promise.resolve()
  readonly #save: SaveState

  /** @param state the newest that was stored */
  constructor(state: SiteState, save: SaveState) {
    this.#state = state
    this.#save = save
  }

  /** Enters an attempt: what it advertises is returned when the keys behind it are stored. */
  static async begin<Message>(
    first: { readonly state: SiteState; readonly message: Message },
    save: SaveState,
  ): Promise<{ readonly site: DurableSite; readonly message: Message }> {
    await save(first.state)
    return { site: new DurableSite(first.state, save), message: first.message }
  }

  get state(): SiteState {
    return this.#state
  }

  /** Makes a transition. If it refuses, or its state cannot be stored, the state stays and nothing is returned. */
  step<Step extends { readonly state: SiteState }>(
    transition: (state: SiteState) => Step | Promise<Step>,
  ): Promise<Step> {
    const turn = this.#last.then(async () => {
      const step = await transition(this.#state)
      await this.#save(step.state)
      this.#state = step.state
      return step
    })
    this.#last = turn.catch(() => {})
    return turn
  }
}
