import { afterEach, expect, it, vi } from 'vitest'
import { joinCommand } from './commands/join.ts'
import { ledgerCommand } from './commands/ledger.ts'

afterEach(() => vi.unstubAllEnvs())

it('a site has one state folder for every command: that of FEDSVD_STATE_DIR, where it is set', async () => {
  vi.stubEnv('FEDSVD_STATE_DIR', '/srv/of-a-site')
  for (const command of [joinCommand(), ...ledgerCommand().commands]) {
    const asked = vi.fn<(folder: string | undefined) => void>()
    await command
      .action((...given: unknown[]) => asked(given.find(isOptions)?.stateDir))
      .parseAsync(
        command.name() === 'join' ? ['http://127.0.0.1:9', '--name', 'a', '--data', 'x', '--epsilon', '1'] : [],
        { from: 'user' },
      )
    expect(asked, command.name()).toHaveBeenCalledWith('/srv/of-a-site')
  }
})

function isOptions(value: unknown): value is { readonly stateDir: string } {
  return typeof value === 'object' && value !== null && 'stateDir' in value
}
