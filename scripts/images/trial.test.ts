import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { run } from './run-command.ts'
import { runFails, Trial } from './trial.ts'

const told: string[] = []

beforeEach(() => {
  told.length = 0
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => told.push(String(text)) > 0)
})
afterEach(() => vi.restoreAllMocks())

describe('a trial of the images', () => {
  it('counts what fails, says why, and goes on', async () => {
    const trial = new Trial()
    trial.step('first', () => void run(process.execPath, ['--eval', 'console.error("why"), process.exit(3)']))
    trial.step('second', () => {})
    await expect(trial.wait('third', () => Promise.reject(new Error('no answer')))).rejects.toThrow('third')
    expect(trial.summary).toEqual({ done: 1, failed: 2 })
    expect(told.join('')).toMatch(/FAILED {2}first\n.*got status 3:\nwhy\n\nok {6}second\nFAILED {2}third\nno answer/s)
  })

  it('sees a program that is not there, and one that should have failed', () => {
    expect(() => run('no-such-program', [])).toThrow('expected no-such-program to succeed')
    runFails(() => run(process.execPath, ['--eval', 'throw new Error("known")']), /known/)
    expect(() => runFails(() => 'all well', /known/)).toThrow('got success:\nall well')
    expect(() => runFails(() => run('no-such-program', []), /known/)).toThrow('no-such-program')
  })
})
