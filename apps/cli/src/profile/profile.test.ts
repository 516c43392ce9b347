import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { accessOf } from '../access.ts'
import { profilesPath, readProfiles, writeProfiles } from './index.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedsvd-profile-'))
  vi.stubEnv('FEDSVD_HOME', folder)
  vi.stubEnv('FEDSVD_OPERATOR_TOKEN', '')
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})

const clinic = { coordinator: 'https://clinic.test', token: 'token-of-clinic' }
const keep = () =>
  writeProfiles({ current: 'clinic', profiles: { clinic, other: { coordinator: 'http://other.test' } } })

describe('the file of profiles', () => {
  it('is readable for its owner alone, and comes back as it was written', () => {
    keep()
    expect(statSync(profilesPath()).mode & 0o777).toBe(0o600)
    expect(readProfiles()).toEqual({
      current: 'clinic',
      profiles: { clinic, other: { coordinator: 'http://other.test' } },
    })
    expect(readFileSync(profilesPath(), 'utf8')).toMatch(/^# Profiles of fedsvd, with secrets/)
  })

  it('is refused where others can read it, before anything in it is used', () => {
    keep()
    for (const rights of [0o640, 0o604, 0o660]) {
      chmodSync(profilesPath(), rights)
      expect(() => readProfiles()).toThrow(/CONFIG_INVALID: .*you alone can read.*chmod 600/)
    }
  })

  it('is none at first, and a damaged one is told with its line', () => {
    expect(readProfiles()).toEqual({ profiles: {} })
    writeFileSync(profilesPath(), 'profiles:\n  a:\n    coordinatr: x\n', { mode: 0o600 })
    expect(() => readProfiles()).toThrow(/profiles\.yaml:3:5: profiles\.a\.coordinatr: no key/)
  })

  it('lies where the system keeps configuration', () => {
    expect(profilesPath({}, '/home/ada')).toBe('/home/ada/.config/fedsvd/profiles.yaml')
    expect(profilesPath({ XDG_CONFIG_HOME: '/etc/x' }, '/home/ada')).toBe('/etc/x/fedsvd/profiles.yaml')
  })
})

describe('how a coordinator is reached', () => {
  it('is said by the current profile, another profile, or options, which count first', async () => {
    keep()
    expect(await accessOf({})).toMatchObject({ url: 'https://clinic.test', token: 'token-of-clinic' })
    vi.stubEnv('FEDSVD_OPERATOR_TOKEN', 'from-environment')
    expect(await accessOf({})).toMatchObject({ url: 'https://clinic.test', token: 'from-environment' })
    expect(await accessOf({ profile: 'other' })).toMatchObject({ url: 'http://other.test', token: 'from-environment' })
    expect(await accessOf({ coordinator: 'https://CLINIC.test/' })).toMatchObject({ url: 'https://clinic.test' })
  })

  it('never sends the token of a profile to another coordinator', async () => {
    keep()
    await expect(accessOf({ coordinator: 'https://evil.test' })).rejects.toThrow(/expected the operator token/)
    await expect(accessOf({ profile: 'clinic', coordinator: 'https://evil.test' })).rejects.toThrow(
      /expected https:\/\/clinic\.test, .*got https:\/\/evil\.test/,
    )
  })

  it('has to be said', async () => {
    await expect(accessOf({})).rejects.toThrow(/expected the address of a coordinator, got none, and no profile/)
    keep()
    await expect(accessOf({ profile: 'clinik' })).rejects.toThrow(/a profile among clinic, other, got clinik.*clinic\?/)
  })
})
