/** A spare step for so many steps of a run, and one at least. */
const STEPS_FOR_A_SPARE = 50

/** What decides how many steps a run has. */
export interface Schedule {
  readonly rounds: number
  readonly localSteps: number
}

/**
 * The steps that noise is calibrated for: those of all rounds, and a few spare ones. Each interruption of a client
 * charges one step more than its round has, and the spares pay for the first of them, so that an interrupted client
 * still affords all of its rounds. 2 % more steps cost about 1 % more noise.
 *
 * @example scheduledSteps({ rounds: 12, localSteps: 5 }) // 62
 */
export function scheduledSteps({ rounds, localSteps }: Schedule): number {
  const steps = rounds * localSteps
  return steps + Math.ceil(steps / STEPS_FOR_A_SPARE)
}

/**
 * The most rounds for which `steps` are enough, the spare ones included; 0 where they do not make one.
 *
 * @example roundsWithSpares(62, 5) // 12
 */
export function roundsWithSpares(steps: number, localSteps: number): number {
  let rounds = Math.floor(steps / localSteps)
  while (rounds > 0 && scheduledSteps({ rounds, localSteps }) > steps) rounds -= 1
  return rounds
}
