import { join } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import { type JsonObject, jsonObject, readIfThere } from '../files/index.ts'
import { contentOf, SPECIAL_KEYS } from './tokenizer-config.ts'

export const SPECIAL_TOKENS_MAP = 'special_tokens_map.json'

/** What describes a checkpoint's tokenizer. */
export interface TokenizerFiles {
  /** `tokenizer.json` */
  readonly tokenizer: JsonObject
  /** `tokenizer_config.json`, with what Transformers takes from other files where it is silent. */
  readonly config: JsonObject
}

/** The class that `AutoTokenizer` takes for a `model_type` where no file names one. */
const CLASS_OF_MODEL: Readonly<Record<string, string>> = {
  bert: 'BertTokenizer',
  distilbert: 'DistilBertTokenizer',
  gpt2: 'GPT2Tokenizer',
  llama: 'LlamaTokenizer',
  mistral: 'LlamaTokenizer',
  roberta: 'RobertaTokenizer',
}

/**
 * Reads the tokenizer's files of a checkpoint folder. Where `tokenizer_config.json` names no class, `config.json` does,
 * or its `model_type` decides; `special_tokens_map.json` counts as {@link specialTokensBeside} says.
 *
 * @throws FedsvdError CHECKPOINT_INVALID where there is no tokenizer.json, or two files name different special tokens
 */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  const tokenizer = await readJson(folder, 'tokenizer.json')
  if (tokenizer === undefined) throw invalid(`a tokenizer.json in ${folder}`, 'none')
  const config = (await readJson(folder, 'tokenizer_config.json')) ?? {}
  const model = (await readJson(folder, 'config.json')) ?? {}
  const tokenizerClass = config.tokenizer_class ?? model.tokenizer_class ?? CLASS_OF_MODEL[String(model.model_type)]
  const beside = await specialTokensBeside(folder, config)
  return { tokenizer, config: { ...config, ...beside, ...(tokenizerClass && { tokenizer_class: tokenizerClass }) } }
}

/**
 * The special tokens that only `special_tokens_map.json` names. Transformers reads that file where
 * `tokenizer_config.json` has no `added_tokens_decoder`, as files of before version 4.34 have none; otherwise it is a
 * copy that nothing reads.
 *
 * @throws FedsvdError CHECKPOINT_INVALID where both files name a token and they differ
 */
export async function specialTokensBeside(folder: string, config: JsonObject): Promise<JsonObject> {
  if (config.added_tokens_decoder !== undefined) return {}
  const map = (await readJson(folder, SPECIAL_TOKENS_MAP)) ?? {}
  const beside: Record<string, unknown> = {}
  for (const key of [...SPECIAL_KEYS, 'additional_special_tokens']) {
    const [own, other] = [config[key] ?? undefined, map[key] ?? undefined]
    if (other === undefined) continue
    if (own === undefined) beside[key] = other
    else if (textOf(own) !== textOf(other)) {
      throw invalid(
        `one ${key} in ${folder}`,
        `${textOf(own)} in tokenizer_config.json, ${textOf(other)} in ${SPECIAL_TOKENS_MAP}`,
      )
    }
  }
  return beside
}

function textOf(token: unknown): string {
  return JSON.stringify(Array.isArray(token) ? token.map(contentOf) : contentOf(token)) ?? 'no text'
}

async function readJson(folder: string, name: string): Promise<JsonObject | undefined> {
  const path = join(folder, name)
  const bytes = await readIfThere(path)
  return bytes && jsonObject(bytes.toString('utf8'), path)
}

function invalid(expected: string, got: string): FedsvdError {
  const remedy = 'Save the tokenizer of the checkpoint in its fast form (tokenizer.json).'
  return new FedsvdError('CHECKPOINT_INVALID', { expected, got, remedy })
}
