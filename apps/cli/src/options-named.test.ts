import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { program } from './main.ts'

const ROOT = join(import.meta.dirname, '../../..')

const commandsBelow = (command: Command): Command[] => [command, ...command.commands.flatMap(commandsBelow)]
const all = commandsBelow(await program())
const shown = new Set(['--help', ...all.flatMap(({ options }) => options.filter((o) => !o.hidden).map((o) => o.long))])

/** Sources whose messages a person of a coordinator or a site reads. */
const sources = ['apps/cli/src', 'apps/client/src', 'apps/server/src', 'packages/core/src', 'packages/engine/src']
  .flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true }).map((name) => join(folder, String(name))))
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))

describe('what a message tells people to pass', () => {
  it('is an option that --help shows', () => {
    const named = sources.flatMap((path) => {
      const remedies = readFileSync(join(ROOT, path), 'utf8').matchAll(/remedy(?::|\s*=)\s*(['`])(.*?)\1/gs)
      const options = [...remedies].flatMap(([, , text]) => text!.match(/(?<![\w-])--[a-z][\w-]*/g) ?? [])
      return options.map((option) => ({ path, option }))
    })
    expect(named.length).toBeGreaterThan(20)
    expect(named.filter(({ option }) => !shown.has(option))).toEqual([])
  })
})
