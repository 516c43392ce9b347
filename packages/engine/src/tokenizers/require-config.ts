import { FedsvdError } from '@fedsvd/core/errors'
import type { JsonObject } from '../files/index.ts'
import { contentOf, SPECIAL_KEYS } from './tokenizer-config.ts'

/** Settings that are true or false, or null for the default. */
const SWITCHES = [
  'add_bos_token',
  'add_eos_token',
  'add_prefix_space',
  'do_lower_case',
  'split_special_tokens',
  'strip_accents',
  'tokenize_chinese_chars',
]

/**
 * Holds `tokenizer_config.json` against what can be applied: what Transformers would stop at, and what it does by other
 * code than the library's, is refused by its name. Settings that change no ids, such as `model_max_length`,
 * `clean_up_tokenization_spaces`, `padding_side`, `legacy` and `chat_template`, are passed over.
 *
 * @throws FedsvdError CHECKPOINT_INVALID
 */
export function requireTokenizerConfig(config: JsonObject): void {
  for (const name of SWITCHES) {
    if (typeof (config[name] ?? false) !== 'boolean') throw refused(`true or false as ${name}`, config[name])
  }
  if (config.split_special_tokens === true) throw refused('false as split_special_tokens', true)
  if (!['left', 'right'].includes((config.truncation_side ?? 'right') as string)) {
    throw refused('"left" or "right" as truncation_side', config.truncation_side)
  }
  if (typeof (config.tokenizer_class ?? '') !== 'string')
    throw refused('a name as tokenizer_class', config.tokenizer_class)
  const code = (config.auto_map as JsonObject | null | undefined)?.AutoTokenizer
  if (code !== undefined) throw refused('a tokenizer without code of its own (auto_map)', code)
  for (const name of SPECIAL_KEYS) {
    if (!isToken(config[name] ?? '')) throw refused(`a text, or an object with its content, as ${name}`, config[name])
  }
  const more = config.additional_special_tokens ?? []
  if (!Array.isArray(more) || !more.every(isToken)) throw refused('a list of texts as additional_special_tokens', more)
  for (const [id, token] of Object.entries(config.added_tokens_decoder ?? {})) {
    if (!/^\d+$/.test(id) || !isToken(token))
      throw refused('tokens under their ids as added_tokens_decoder', { [id]: token })
  }
  for (const [flag, name] of [
    ['add_bos_token', 'bos_token'],
    ['add_eos_token', 'eos_token'],
  ] as const) {
    if (config[flag] === true && config[name] === null) throw refused(`the ${name}, since ${flag} is true`, null)
  }
}

/**
 * @throws FedsvdError CHECKPOINT_INVALID where `added_tokens_decoder` gives a token another id than the tokenizer does
 */
export function requireSameIds(config: JsonObject, idOf: (content: string) => number | null): void {
  for (const [id, token] of Object.entries(config.added_tokens_decoder ?? {})) {
    const content = contentOf(token)!
    const found = idOf(content)
    if (found !== Number(id)) {
      throw refused(
        `the id ${found} of tokenizer.json for ${JSON.stringify(content)} in added_tokens_decoder`,
        Number(id),
      )
    }
  }
}

function isToken(token: unknown): boolean {
  return contentOf(token) !== undefined
}

function refused(expected: string, got: unknown): FedsvdError {
  return new FedsvdError('CHECKPOINT_INVALID', {
    expected: `${expected} in tokenizer_config.json`,
    got: JSON.stringify(got).slice(0, 200),
    remedy: 'Copy tokenizer.json and tokenizer_config.json from the same checkpoint, as Transformers saved them.',
  })
}
