import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { program } from '../main.ts'
import { completionScript, wordsOf } from './index.ts'

const words = wordsOf(await program())

/** What bash offers behind these words, of which the last is under way. */
function offered(...typed: readonly string[]): readonly string[] {
  const script = `${completionScript('bash', words)}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fedsvd; printf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['--norc', '-c', script, 'bash', ...typed], { encoding: 'utf8' })
    .trim()
    .split('\n')
}

describe('the completion of bash', () => {
  it('offers commands, their subcommands and their options', () => {
    expect(offered('fedsvd', 'ru')).toEqual(['run'])
    expect(offered('fedsvd', 'run', '')).toEqual(expect.arrayContaining(['create', 'watch', 'clone']))
    expect(offered('fedsvd', 'run', 'create', '--dry')).toEqual(['--dry-run'])
    expect(offered('fedsvd', '--ver')).toEqual(['--version'])
  })

  it('offers values where these are few, and none where any may stand', () => {
    expect(offered('fedsvd', 'run', 'create', '--task', 'causal')).toEqual(['causal-lm'])
    expect(offered('fedsvd', 'run', 'create', '--name', '')).toEqual([''])
    expect(offered('fedsvd', 'run', 'create', '--config', '/etc/passw')).toContain('/etc/passwd')
  })

  it('leaves out what is hidden, such as secrets on the command line', () => {
    expect(offered('fedsvd', 'run', 'list', '--operator')).toEqual(['--operator-token-file'])
  })
})

describe('the scripts of zsh and fish', () => {
  it('name every command and every option', () => {
    for (const shell of ['zsh', 'fish'] as const) {
      const script = completionScript(shell, words)
      for (const { path, options } of words) {
        if (path !== '') expect(script, shell).toContain(`'${path}'`)
        for (const { word } of options) expect(script, `${shell} ${word}`).toContain(word.replace(/^--?/, ''))
      }
    }
  })

  it('quote nothing open', () => {
    for (const shell of ['zsh', 'fish'] as const) {
      for (const line of completionScript(shell, words).split('\n')) {
        if (!line.startsWith('#')) expect((line.match(/'/g) ?? []).length % 2, line).toBe(0)
      }
    }
  })
})
