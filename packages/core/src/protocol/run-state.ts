import { z } from 'zod'

/** States in which rounds go on. */
export const ACTIVE_RUN_STATES = ['waiting', 'running'] as const

/** States from which a run may still go on: a paused one does when it is resumed. */
export const OPEN_RUN_STATES = [...ACTIVE_RUN_STATES, 'paused'] as const

/** States from which no run comes back. */
export const FINAL_RUN_STATES = ['completed', 'stopped', 'failed'] as const

/** How far a run is. */
export const runStateSchema = z.enum([...OPEN_RUN_STATES, ...FINAL_RUN_STATES])
export type RunState = z.infer<typeof runStateSchema>
export type FinalRunState = (typeof FINAL_RUN_STATES)[number]

/** True for a run in which rounds go on: neither paused nor over. */
export function isRunActive(state: RunState): state is (typeof ACTIVE_RUN_STATES)[number] {
  return (ACTIVE_RUN_STATES as readonly RunState[]).includes(state)
}

/** True for a run of which nothing more will be asked. */
export function isRunOver(state: RunState): state is FinalRunState {
  return (FINAL_RUN_STATES as readonly RunState[]).includes(state)
}
