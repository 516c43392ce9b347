import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clientConfigSchema } from '@fedsvd/client'
import { Command, Option } from 'commander'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { joinCommand } from '../commands/join.ts'
import { keysOf } from '../config-file/index.ts'
import { siteConfigOption, siteConfigSchema, siteSettings, withSiteConfig } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'site-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(text: string): string {
  const path = join(folder, 'site.yaml')
  writeFileSync(path, text)
  return path
}

const WHOLE = `
coordinator: https://fedsvd.example:7373
name: north-clinic
data: [notes.jsonl, /srv/more/*.csv]
columns: { text: body, unit: patient }
reading: { encoding: windows-1252 }
declared: { records: 2000, labels: [ham, spam] }
budget: { epsilon: 6, delta: 1e-6 }
policy:
  approval: ask
  models: [starter]
  maxEpsilonPerRun: 2
  limits: { rounds: { max: 50 }, openRuns: 2 }
stateDir: state
tokenFile: token.txt
releaseGrid: false
compute: { threads: 2 }
maxWaitSeconds: 30
`

describe('the site configuration', () => {
  it('becomes the options of fedsvd join, its paths relative to its folder', () => {
    writeFileSync(join(folder, 'token.txt'), 'token')
    expect(siteSettings(file(WHOLE))).toEqual({
      coordinator: 'https://fedsvd.example:7373',
      name: 'north-clinic',
      data: [join(folder, 'notes.jsonl'), '/srv/more/*.csv'],
      textColumn: 'body',
      unitColumn: 'patient',
      encoding: 'windows-1252',
      declaredRecords: 2000,
      declaredLabels: ['ham', 'spam'],
      epsilon: 6,
      delta: 1e-6,
      approval: 'ask',
      policy: { maxEpsilonPerRun: 2 },
      limits: { rounds: { max: 50 }, openRuns: 2, models: ['starter'] },
      stateDir: join(folder, 'state'),
      tokenFile: join(folder, 'token.txt'),
      releaseGrid: false,
      threads: 2,
      maxWait: 30,
    })
    rmSync(join(folder, 'token.txt')) // it was for one enrolment
    expect(siteSettings(file(WHOLE))).not.toHaveProperty('tokenFile')
  })

  it('tells every fault with its line, and takes no key that it does not know', () => {
    expect(() => siteSettings(file('name: a\nbudget: { epsilon: -1 }\npolicy: { maxEpsilon: 3 }\n'))).toThrow(
      /site\.yaml:2:11: budget\.epsilon: .*site\.yaml:3:11: policy\.maxEpsilon: no key that is known here/,
    )
    expect(() => siteSettings(join(folder, 'missing.yaml'))).toThrow('CONFIG_INVALID: expected a readable site conf')
  })

  it('has a key for every setting of a client, and a sentence for each', () => {
    const keys = keysOf(siteConfigSchema)
    expect(keys.filter(({ path, description }) => description === '' && !path.startsWith('policy.limits.'))).toEqual([])
    const named = new Set(keys.map(({ path }) => path.split('.').at(-1)))
    const elsewhere = [
      'dataFile',
      'declaredRecords',
      'declaredLabels',
      'enrolmentToken',
      'hubToken',
      'extension',
      'once',
    ]
    const settings = Object.keys(clientConfigSchema.shape).filter((name) => !elsewhere.includes(name))
    const missing = settings.filter((name) => !named.has(name) && !named.has(name.replace(/Column$/, '')))
    expect(missing).toEqual(['budgetName'])
  })
})

describe('an option of fedsvd join', () => {
  const parse = (...args: string[]) => {
    const command = new Command()
      .addOption(siteConfigOption())
      .addOption(new Option('--name <name>').env('FEDSVD_NAME').default('none'))
      .action(() => {})
    command.parse(args, { from: 'user' })
    return withSiteConfig(command.opts(), command)
  }

  it('counts before its variable, that before the file, and that before the default', () => {
    const config = file('name: of-the-file\n')
    expect(parse()).toEqual({ name: 'none' })
    expect(parse('--config', config)).toMatchObject({ name: 'of-the-file' })
    vi.stubEnv('FEDSVD_NAME', 'of-the-variable')
    expect(parse('--config', config)).toMatchObject({ name: 'of-the-variable' })
    expect(parse('--config', config, '--name', 'given')).toMatchObject({ name: 'given' })
    vi.unstubAllEnvs()
  })

  it('or a key of the file says what a site cannot be started without', async () => {
    const joinWith = (...args: string[]) => joinCommand().parseAsync(args, { from: 'user' })
    await expect(joinWith('--config', file('name: a\n'))).rejects.toThrow('expected <coordinator>, or coordinator in')
    const whole = 'coordinator: http://127.0.0.1:9\nname: a\ndata: no.jsonl\n'
    await expect(joinWith('--config', file(whole))).rejects.toThrow('expected --epsilon, or budget.epsilon in')
    const other = `${whole}budget: { epsilon: 1 }\npolicy: { coordinators: ["http://127.0.0.1:8"] }\n`
    await expect(joinWith('--config', file(other))).rejects.toThrow(/POLICY_REFUSED.*got http:\/\/127\.0\.0\.1:9/)
  })
})
