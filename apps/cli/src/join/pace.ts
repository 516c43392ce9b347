/** The progress of a round, as people at the site may see it. */
export interface Pace {
  /** Records a second since the round began. */
  readonly recordsPerSecond: number
  /** Until the end of the round, at the pace of its steps so far; infinite before there is any. */
  readonly secondsLeft: number
}

/**
 * Watches the steps of one round. The pace is that of the whole round so far and not of the last moment: an estimate
 * that jumps is of no use to a reader.
 */
export class RoundPace {
  readonly #steps: number
  readonly #first: number
  readonly #started: number
  #records = 0
  #stepsDone = 0

  /** @param first the step that begins now, from 1: a round that is resumed does not begin with the first */
  constructor(steps: number, first: number, now: number) {
    this.#steps = steps
    this.#first = first
    this.#started = now
  }

  /** A step of `records` records has ended. */
  stepped(records: number): void {
    this.#records += records
    this.#stepsDone += 1
  }

  /** At `now`, in milliseconds, with `done` of the `of` records of the step under way; 0 of 1 between two steps. */
  at(now: number, done = 0, of = 1): Pace {
    const seconds = (now - this.#started) / 1000
    const stepsDone = this.#stepsDone + (of > 0 ? done / of : 1)
    const stepsLeft = this.#steps - this.#first + 1 - stepsDone
    return {
      recordsPerSecond: seconds > 0 ? (this.#records + done) / seconds : 0,
      secondsLeft: stepsDone > 0 ? (seconds / stepsDone) * stepsLeft : Number.POSITIVE_INFINITY,
    }
  }
}

/** Seconds as m:ss, or h:mm:ss. */
export function clockTime(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-:--'
  const whole = Math.max(0, Math.round(seconds))
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60]
  const rest = String(whole % 60).padStart(2, '0')
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`
}
