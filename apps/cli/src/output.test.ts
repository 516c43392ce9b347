import { FedsvdError } from '@fedsvd/core/errors'
import { describe, expect, it } from 'vitest'
import { ConfigFileError } from './config-file/index.ts'
import { terminalText } from './output.ts'

const error = new FedsvdError('RUN_STATE', { expected: 'a run', got: 'a \u001b[2J screen', remedy: 'Look.' })

describe('an error at a terminal', () => {
  it('is in lines that can be read, and nothing of it moves the cursor', () => {
    expect(terminalText(error, { isColoured: false })).toBe(
      'error RUN_STATE\n  expected  a run\n  got       a \\u001b[2J screen\n  do        Look.',
    )
  })

  it('is coloured only where that is wanted', () => {
    expect(terminalText(error, { isColoured: true })).toContain('\u001b[31merror\u001b[0m ')
    expect(terminalText(error, { isColoured: false })).not.toContain('\u001b')
  })

  it('of a file has a line for each fault', () => {
    const faults = [{ line: 1, column: 2, path: 'a', message: 'b' }]
    expect(terminalText(new ConfigFileError('run.yaml', 'run configuration', faults), { isColoured: false })).toBe(
      'error CONFIG_INVALID: expected a valid run configuration, got 1 fault. Correct it.\n  run.yaml:1:2: a: b',
    )
  })
})
