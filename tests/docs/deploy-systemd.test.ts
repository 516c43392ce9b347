import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { joinCommand } from '../../apps/cli/src/commands/join.ts'
import { serveCommand } from '../../apps/cli/src/commands/serve.ts'
import { EXIT } from '../../apps/cli/src/exit-codes.ts'
import { ENVIRONMENT } from '../../packages/engine/src/settings/index.ts'

/*
 * The units of systemd, held against the commands that they start. `systemd-analyze verify` was run over them by hand.
 */
const FOLDER = path.resolve(import.meta.dirname, '../../deploy/systemd')
const users = readFileSync(path.join(FOLDER, 'fedsvd.sysusers.conf'), 'utf8')

/** The settings of a unit; one that stands there twice has both values, with a line break between. */
function unit(name: string): ReadonlyMap<string, string> {
  const settings = new Map<string, string>()
  for (const line of readFileSync(path.join(FOLDER, name), 'utf8').split('\n')) {
    const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? []
    if (key !== undefined) settings.set(key, settings.has(key) ? `${settings.get(key)}\n${value}` : value!)
  }
  return settings
}

it('there is a unit for each side', () => {
  expect(readdirSync(FOLDER).sort()).toEqual([
    'fedsvd-coordinator.service',
    'fedsvd-site.service',
    'fedsvd.sysusers.conf',
  ])
})

describe.each<[string, () => Command, object]>([
  ['fedsvd-site', joinCommand, { config: '/etc/fedsvd/site.yaml' }],
  ['fedsvd-coordinator', serveCommand, { host: '127.0.0.1', port: 7373 }],
])('%s.service', (name, makeCommand, options) => {
  const settings = unit(`${name}.service`)

  it('starts a command that there is, on a state folder of its own', () => {
    const [program, called, ...words] = settings.get('ExecStart')!.split(' ')
    const command = makeCommand().exitOverride()
    expect(path.basename(program!)).toBe('fedsvd')
    expect(called).toBe(command.name())
    command.parseOptions(words)
    expect(command.opts()).toMatchObject(options)
    expect(settings.get('Environment')).toBe(`${ENVIRONMENT.stateDir}=/var/lib/${settings.get('StateDirectory')}`)
    expect(settings.get('StateDirectoryMode')).toBe('0700')
    expect(settings.get('UMask')).toBe('0077')
  })

  it('runs as a user who has nothing else, and may do nothing else', () => {
    expect(users).toMatch(
      new RegExp(`^u ${settings.get('User')} - .* /var/lib/${settings.get('StateDirectory')}$`, 'm'),
    )
    const yes = [...settings].filter(([, value]) => value === 'yes').map(([key]) => key)
    const needed = [
      'NoNewPrivileges',
      'PrivateDevices',
      'PrivateTmp',
      'ProtectHome',
      'RestrictNamespaces',
      'RestrictSUIDSGID',
    ]
    expect(yes).toEqual(expect.arrayContaining(needed))
    expect(settings.get('ProtectSystem')).toBe('strict')
    expect(settings.get('CapabilityBoundingSet')).toBe('')
    expect(settings.has('MemoryDenyWriteExecute')).toBe(false) // JavaScript is compiled as it runs
  })
})

it('a site that its coordinator turned away is not started again, and has the time to stop', () => {
  const settings = unit('fedsvd-site.service')
  expect(settings.get('RestartPreventExitStatus')).toBe(String(EXIT.refused))
  expect(settings.get('Restart')).toBe('on-failure')
  expect(Number(settings.get('TimeoutStopSec'))).toBeGreaterThanOrEqual(30)
})
