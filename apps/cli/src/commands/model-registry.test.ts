import { FedsvdError } from '@fedsvd/core/errors'
import { testCoordinator } from '@fedsvd/testing/server/coordinator'
import { trainAndUpload } from '@fedsvd/testing/server/fake-client'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { modelCommand } from './model.ts'

/** What a command of `fedsvd model` prints, or the error that it ends with. */
async function model(...words: string[]): Promise<string> {
  const lines: string[] = []
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => lines.push(String(text)) > 0)
  try {
    const command = modelCommand().exitOverride()
    for (const one of command.commands) one.exitOverride().configureOutput({ writeErr: () => {} })
    await command.parseAsync(words, { from: 'user' })
  } catch (error) {
    return error instanceof FedsvdError ? error.message : (error as Error).message
  } finally {
    write.mockRestore()
  }
  return lines.join('')
}

afterEach(() => vi.unstubAllEnvs())

describe('fedsvd model', () => {
  it('gives states of runs names, lists them, moves tags and takes versions out again', async () => {
    await using coordinator = await testCoordinator()
    vi.stubEnv('FEDSVD_OPERATOR_TOKEN', coordinator.operatorToken)
    const client = await coordinator.client('north', { train: trainAndUpload })
    await client.connect()
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 2 })
    await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    const at = ['--coordinator', coordinator.url]
    expect(await model('registry', ...at)).toMatch(/no state of a run has a name yet/)
    const first = await model('register', runId, ...at, '--name', 'spam', '--round', '1', '--tag', 'production')
    expect(first).toBe('spam@1: round 1 of test run, production\n')
    expect(await model('register', runId, ...at, '--name', 'spam', '--tag', 'a', '--tag', 'b')).toMatch(
      /^spam@2: round 2 of test run, a, b/,
    )
    expect(await model('tag', 'spam@2', 'production', 'new', ...at)).toMatch(/^spam@2: .*production, new/)
    const listed = await model('registry', ...at)
    expect(listed).toMatch(/spam@2 +production, new +2 +not measured +test run/)
    expect(listed).toMatch(/spam@1 + +1 /)
    const { models } = JSON.parse(await model('registry', ...at, '--json')) as { models: { tags: string[] }[] }
    expect(models.map(({ tags }) => tags)).toEqual([['production', 'new'], []])
    expect(await model('unregister', 'spam@2', ...at)).toMatch(/spam@2 is not in the registry any more/)
    expect(await model('unregister', 'spam@2', ...at)).toMatch(/STATE_NOT_FOUND.*one of spam@1/)
    expect(await model('register', runId, ...at, '--name', 'spam', '--round', '9')).toMatch(/STATE_NOT_FOUND.*round 9/)
    expect(await model('register', runId, ...at, '--name', 'spam', '--round', 'best')).toMatch(/STATE_NOT_FOUND/)
    for (const words of [
      ['tag', 'spam'],
      ['tag', 'spam@0'],
      ['register', runId, '--name', '../x'],
      ['tag', 'spam@1', 'Big'],
    ])
      expect(await model(...words, ...at), words.join(' ')).toMatch(/Expected/)
  })
})
