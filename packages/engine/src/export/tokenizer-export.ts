import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isThere, type JsonObject } from '../files/index.ts'
import { readTokenizerFiles, type TokenizerFiles } from '../tokenizers/index.ts'

const TOKENIZER = 'tokenizer.json'

/** With what slow tokenizers read, and what some libraries look for beside it. */
const COPIED = [TOKENIZER, 'special_tokens_map.json', 'vocab.txt', 'vocab.json', 'merges.txt']

/** Absent: texts are not cut. */
interface TokenizerTerms {
  readonly maxTokens?: number | undefined
}

/** Writes `tokenizer.json` and {@link writeTokenizerConfig}. @returns the files written */
export async function writeTokenizer(
  folder: string,
  { tokenizer, config }: TokenizerFiles,
  terms: TokenizerTerms,
): Promise<string[]> {
  const path = join(folder, 'tokenizer.json')
  await writeFile(path, `${JSON.stringify(tokenizer)}\n`)
  return [path, await writeTokenizerConfig(folder, { tokenizer, config }, terms)]
}

/** The files of a checkpoint's tokenizer, with a configuration that stands alone. @returns the files written */
export async function copyTokenizer(folder: string, source: string, terms: TokenizerTerms): Promise<string[]> {
  const files: string[] = []
  for (const name of COPIED) {
    const target = join(folder, name)
    const isCopied = await copyFile(join(source, name), target).then(
      () => true,
      () => false,
    )
    if (isCopied) files.push(target)
  }
  if (!(await isThere(join(source, TOKENIZER)))) return files
  return [...files, await writeTokenizerConfig(folder, await readTokenizerFiles(source), terms)]
}

/** What classes of Transformers pad with, where a configuration names nothing. */
const USUAL_PADDING = ['[PAD]', '<pad>', '<|endoftext|>', '</s>', '[SEP]']

/**
 * A token to pad with, where texts of several lengths stand in one batch: what the classes of Transformers take by
 * default, else the token that ends texts, else the unknown one. A mask hides it, so that any would do.
 */
function paddingOf(tokenizer: JsonObject, config: JsonObject): unknown {
  const known = tokensOf(tokenizer)
  const usual = USUAL_PADDING.find((token) => known.has(token))
  return usual ?? config.eos_token ?? config.unk_token ?? undefined
}

/** The vocabulary and the added tokens of `tokenizer.json`: an object by token, or a list of pairs. */
function tokensOf({ model, added_tokens: added }: JsonObject): ReadonlySet<unknown> {
  const { vocab = {} } = (model ?? {}) as { readonly vocab?: object }
  const own = Array.isArray(vocab) ? vocab.map((entry: readonly unknown[]) => entry[0]) : Object.keys(vocab)
  const more = Array.isArray(added) ? added.map((token: JsonObject) => token.content) : []
  return new Set([...own, ...more])
}

/**
 * Writes `tokenizer_config.json`. It names the class that reads the files, since a folder with an adapter has no
 * config.json that would, and cuts texts where the run did.
 *
 * @returns its path
 */
async function writeTokenizerConfig(
  folder: string,
  { tokenizer, config }: TokenizerFiles,
  { maxTokens }: TokenizerTerms,
) {
  const padding = config.pad_token ?? paddingOf(tokenizer, config)
  const described: JsonObject = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    ...config,
    ...(padding !== undefined && { pad_token: padding }),
    ...(maxTokens !== undefined && { model_max_length: maxTokens }),
  }
  const path = join(folder, 'tokenizer_config.json')
  await writeFile(path, `${JSON.stringify(described, null, 2)}\n`)
  return path
}
