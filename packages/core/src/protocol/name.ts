import { z } from 'zod'

/**
 * Letters of other alphabets that look like Latin ones, in lower case as either case of theirs does, and what they look
 * like.
 */
const LOOKALIKES = new Map(
  Object.entries({
    // Cyrillic
    а: 'a',
    в: 'b',
    с: 'c',
    ԁ: 'd',
    е: 'e',
    ё: 'ë',
    һ: 'h',
    н: 'h',
    і: 'i',
    ї: 'ï',
    ј: 'j',
    к: 'k',
    ӏ: 'l',
    м: 'm',
    о: 'o',
    р: 'p',
    ԛ: 'q',
    ѕ: 's',
    т: 't',
    ѵ: 'v',
    ԝ: 'w',
    х: 'x',
    у: 'y',
    з: '3',
    // Greek
    α: 'a',
    β: 'b',
    ε: 'e',
    η: 'h',
    ι: 'i',
    κ: 'k',
    μ: 'm',
    ν: 'n',
    ο: 'o',
    ρ: 'p',
    τ: 't',
    υ: 'y',
    χ: 'x',
    ζ: 'z',
    // Armenian, and Latin letters that only experts tell apart
    օ: 'o',
    ո: 'n',
    ս: 'u',
    ց: 'g',
    հ: 'h',
    ı: 'i',
    ɑ: 'a',
    ɡ: 'g',
  }),
)

/**
 * What a person is called by: letters, marks and digits of any script, and inside `extra` characters. Forms of Unicode
 * that look the same become one (NFC), and letters that nobody sees are refused.
 */
export function nameSchema(extra: string) {
  const inside = `(?!\\p{Default_Ignorable_Code_Point})[\\p{L}\\p{M}\\p{N}${extra}]`
  const first = '(?!\\p{Default_Ignorable_Code_Point})[\\p{L}\\p{N}]'
  return z
    .string()
    .trim()
    .normalize('NFC')
    .regex(new RegExp(`^${first}(?:${inside}){0,79}$`, 'u'), {
      error: `one that is not 1 to 80 letters and digits (or ${extra.replaceAll('\\', '')}), the first a letter or digit`,
    })
}

/**
 * Two names with one key are taken for the same by whoever reads them: letter case, white space, dots and dashes
 * between words, forms of Unicode, and letters of other alphabets that look like Latin ones make no difference.
 */
export function nameKey(name: string): string {
  const folded = name.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC')
  const seen = folded.replace(/\p{Default_Ignorable_Code_Point}/gu, '').replace(/[\s._-]+/gu, ' ')
  return Array.from(seen.trim(), (letter) => LOOKALIKES.get(letter) ?? letter)
    .join('')
    .normalize('NFC')
}
