import { describe, expect, it } from 'vitest'
import { fedsvdCommands, shellWords } from './shell-words.ts'

describe('the words of a command', () => {
  it.each([
    ['a  b c', ['a', 'b', 'c']],
    [`a 'b c' "d \\" e"f`, ['a', 'b c', 'd \\" ef']],
    ['a \\\n  b # c d', ['a', 'b']],
    ['', []],
  ])('of %j are %j', (command, words) => expect(shellWords(command)).toEqual(words))

  it('finds each fedsvd of a line', () => {
    expect(fedsvdCommands('$ DATABASE_URL=postgresql://x npx fedsvd serve --port 1 > log 2>&1 &   # why')).toEqual([
      ['serve', '--port', '1'],
    ])
    expect(fedsvdCommands('fedsvd account < events.json | jq . && fedsvd plan')).toEqual([['account'], ['plan']])
    expect(fedsvdCommands('TOKEN=$(fedsvd token create)')).toEqual([['token', 'create']])
    expect(fedsvdCommands('cat fedsvd')).toEqual([])
  })
})
