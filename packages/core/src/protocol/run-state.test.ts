import { describe, expect, it } from 'vitest'
import { isRunActive, isRunOver, runStateSchema } from './run-state.ts'

describe('the states of a run', () => {
  it('are active, paused or final, and each is one of them', () => {
    const states = runStateSchema.options
    expect(states.filter(isRunActive)).toEqual(['waiting', 'running'])
    expect(states.filter(isRunOver)).toEqual(['completed', 'stopped', 'failed'])
    expect(states.filter((state) => !isRunActive(state) && !isRunOver(state))).toEqual(['paused'])
  })
})
