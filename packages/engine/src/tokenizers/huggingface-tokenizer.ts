import { FedsvdError } from '@fedsvd/core/errors'
import type { Tokenizer as RustTokenizer } from 'tokenizers'
import type { JsonObject } from '../files/index.ts'
import { requireSameIds, requireTokenizerConfig } from './require-config.ts'
import { encoderApart, encoderHere, type TextEncoder, type TextEncoding } from './text-encoder.ts'
import type { EncodedText, EncodedWords, Tokenizer } from './tokenizer.ts'
import { contentOf, withTokenizerConfig } from './tokenizer-config.ts'
import { readTokenizerFiles, type TokenizerFiles } from './tokenizer-files.ts'

export interface TokenizerOptions {
  /** Texts are read in a process of their own. */
  readonly isApart?: boolean | undefined
}

/**
 * The tokenizer of a checkpoint, as `tokenizer.json` and `tokenizer_config.json` describe it, by Hugging Face's own
 * Rust library: ids are equal to those of Transformers' fast tokenizers for every component, because the code is the
 * same.
 *
 * Texts go in as they are. Longer ones are cut before the special tokens are added, so that these are always there; of
 * two texts the longer one is cut, as "longest_first" does in Transformers.
 */
export class HuggingFaceTokenizer implements Tokenizer {
  readonly vocabularySize: number
  readonly keepsWhiteSpace = true
  readonly endId: number | undefined
  readonly #rust: RustTokenizer
  readonly #texts: TextEncoder
  readonly #pairs: PairEncoder
  /** The special tokens before a text and behind it. */
  readonly #before: readonly number[]
  readonly #behind: readonly number[]
  readonly #cutsLeft: boolean
  readonly #spaceBeforeWords: boolean
  /** What stands for a text that gives no token at all. */
  readonly #blank: number

  private constructor(rust: RustTokenizer, texts: TextEncoder, around: Around, { tokenizer, config }: TokenizerFiles) {
    this.#rust = rust
    this.#texts = texts
    this.#pairs = pairEncoder(texts, config.truncation_side === 'left' ? 'left' : 'right')
    this.#before = around.before
    this.#behind = around.behind
    this.#cutsLeft = config.truncation_side === 'left'
    this.#spaceBeforeWords = isByteLevel(tokenizer)
    this.vocabularySize = 1 + Object.values(rust.getVocab(true)).reduce((most, id) => Math.max(most, id), -1)
    const idOf = (token: unknown) => {
      const content = contentOf(token)
      return content === undefined ? undefined : (rust.tokenToId(content) ?? undefined)
    }
    const model = tokenizer.model as JsonObject
    const unknown = typeof model.unk_id === 'number' ? model.unk_id : idOf(model.unk_token ?? config.unk_token)
    this.endId = idOf(config.eos_token)
    this.#blank = unknown ?? this.endId ?? 0
  }

  /**
   * @param tokenizer the content of `tokenizer.json`
   * @param config the content of `tokenizer_config.json`, where there is one
   * @param isApart true where texts are read in a process of their own, because one that the library cannot read ends
   *   the process
   * @throws FedsvdError CHECKPOINT_INVALID for files that describe no tokenizer, RUNTIME_UNAVAILABLE where the library
   *   has no build for this platform
   */
  static async create(
    tokenizer: JsonObject,
    config: JsonObject = {},
    { isApart = false }: TokenizerOptions = {},
  ): Promise<HuggingFaceTokenizer> {
    requireTokenizerConfig(config)
    requireOneResult(tokenizer)
    const { Tokenizer: Rust } = await loadLibrary()
    const described = withTokenizerConfig(tokenizer, config)
    const description = JSON.stringify(described)
    const make = () => Rust.fromString(description)
    let rust: RustTokenizer
    try {
      rust = make()
      if (!(rust.getVocabSize(true) > 0)) throw new Error('an empty vocabulary')
    } catch (cause) {
      throw invalid('a tokenizer.json that describes a tokenizer', String(cause), cause)
    }
    requireSameIds(config, (content) => rust.tokenToId(content))
    const texts = isApart ? encoderApart(description) : encoderHere(make)
    await requireUnknownToken(texts)
    return new HuggingFaceTokenizer(rust, texts, await aroundText(rust, texts), { tokenizer: described, config })
  }

  async encode(text: string, maxTokens: number): Promise<Int32Array> {
    const kept = this.#cut(await this.#idsOf(text), this.#room(maxTokens))
    const ids = [...this.#before, ...kept, ...this.#behind]
    return Int32Array.from(ids.length > 0 ? ids : [this.#blank])
  }

  async encodePair(first: string, second: string, maxTokens: number): Promise<EncodedText> {
    const { ids, typeIds } = await this.#pairs(first, second, maxTokens)
    return { tokenIds: Int32Array.from(ids), typeIds: Int32Array.from(typeIds) }
  }

  /** As Transformers' `is_split_into_words`; byte-level vocabularies have words behind a space. */
  async encodeWords(words: readonly string[], maxTokens: number): Promise<EncodedWords> {
    const room = this.#room(maxTokens)
    const spaced = words.map((word) => (this.#spaceBeforeWords ? ` ${word}` : word))
    const encoded = await this.#texts({ texts: spaced, addSpecialTokens: false })
    const pieces: number[] = []
    const firstTokens = encoded.map(({ ids: own }) => {
      const first = own.length > 0 && pieces.length < room ? this.#before.length + pieces.length : -1
      pieces.push(...own)
      return first
    })
    const tokenIds = Int32Array.from([...this.#before, ...pieces.slice(0, room), ...this.#behind])
    return { tokenIds, firstTokens: Int32Array.from(firstTokens) }
  }

  async encodeBeginning(text: string): Promise<Int32Array> {
    return Int32Array.from([...this.#before, ...(await this.#idsOf(text))])
  }

  async encodeContinuation(text: string): Promise<Int32Array> {
    return Int32Array.from(await this.#idsOf(text))
  }

  async decode(ids: readonly number[]): Promise<string> {
    return await this.#rust.decode([...ids], true)
  }

  /** The ids of a text, without special tokens and uncut. */
  async #idsOf(text: string): Promise<readonly number[]> {
    return (await this.#texts({ texts: [text], addSpecialTokens: false }))[0]!.ids
  }

  #cut(ids: readonly number[], kept: number): readonly number[] {
    return this.#cutsLeft ? ids.slice(Math.max(0, ids.length - kept)) : ids.slice(0, kept)
  }

  #room(maxTokens: number): number {
    return roomFor(maxTokens, this.#before.length + this.#behind.length)
  }
}

/** The special tokens on either side of a text. */
interface Around {
  readonly before: readonly number[]
  readonly behind: readonly number[]
}

/**
 * Texts of which most tokenizers make at least one token; for the others, so many entries of the vocabulary are tried.
 */
const PROBES = ['a', 'A', '1', '.', '中']
const MOST_PROBES = 500

/** Finds the special tokens by encoding a text whose own ids are known. */
async function aroundText(rust: RustTokenizer, texts: TextEncoder): Promise<Around> {
  for (const probe of [...PROBES, ...Object.keys(rust.getVocab(true)).slice(0, MOST_PROBES)]) {
    const { ids, sequenceIds } = await readProbe(texts, probe)
    const isOfText = (sequence: unknown) => typeof sequence === 'number'
    const first = sequenceIds.findIndex(isOfText)
    if (first < 0) continue
    return { before: ids.slice(0, first), behind: ids.slice(sequenceIds.findLastIndex(isOfText) + 1) }
  }
  throw invalid('a tokenizer whose special tokens stand around the text', 'one that leaves every text out')
}

/** Letters that hardly any vocabulary has. */
const RARE_TEXT = 'ᠠ 𒀀'

/** Without a token for what it does not know, a tokenizer fails on the first record that has such a character. */
async function requireUnknownToken(texts: TextEncoder): Promise<void> {
  try {
    await texts({ texts: [RARE_TEXT], addSpecialTokens: true })
  } catch (cause) {
    throw invalid('a tokenizer that has a token for what it does not know', String(cause), cause)
  }
}

async function readProbe(texts: TextEncoder, probe: string): Promise<TextEncoding> {
  try {
    return (await texts({ texts: [probe], addSpecialTokens: true }))[0]!
  } catch (cause) {
    throw invalid(`a tokenizer.json that reads ${JSON.stringify(probe.slice(0, 40))}`, String(cause), cause)
  }
}

type PairEncoder = (first: string, second: string, maxTokens: number) => Promise<TextEncoding>

/**
 * Pairs are cut by the library itself, since which text loses the odd token hangs on how far it looked into each of
 * them.
 */
function pairEncoder(texts: TextEncoder, direction: 'left' | 'right'): PairEncoder {
  const specials = async (): Promise<number> => {
    return (await texts({ texts: [''], pair: '', addSpecialTokens: true }))[0]!.ids.length
  }
  let known: Promise<number> | undefined
  return async (first, second, maxTokens) => {
    known ??= specials()
    roomFor(maxTokens, await known)
    const truncation = maxTokens === Number.POSITIVE_INFINITY ? {} : { truncation: { maxTokens, direction } }
    return (await texts({ texts: [first], pair: second, addSpecialTokens: true, ...truncation }))[0]!
  }
}

/** How many tokens are left for texts. @throws FedsvdError CONFIG_INVALID where there is room for none */
function roomFor(maxTokens: number, specials: number): number {
  if (maxTokens === Number.POSITIVE_INFINITY || (Number.isInteger(maxTokens) && maxTokens > specials)) {
    return maxTokens - specials
  }
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `maxTokens to be an integer above the ${specials} special tokens`,
    got: String(maxTokens),
    remedy: 'Give the number of tokens that the model looks at, such as 128.',
  })
}

async function loadLibrary(): Promise<typeof import('tokenizers')> {
  try {
    return await import('tokenizers')
  } catch (cause) {
    throw new FedsvdError(
      'RUNTIME_UNAVAILABLE',
      {
        expected: `the library "tokenizers" on ${process.platform}-${process.arch}`,
        got: String(cause),
        remedy:
          'Use a platform that it has a build for (Linux, macOS or Windows on x64 or arm64), or the starter model.',
      },
      { cause },
    )
  }
}

/** Whether pieces know a space before them, as in the vocabularies of GPT-2, RoBERTa, Llama 3 and Qwen. */
function isByteLevel({ pre_tokenizer: rules }: JsonObject): boolean {
  return (JSON.stringify(rules) ?? '').includes('"ByteLevel"')
}

/** Reads the tokenizer of a checkpoint folder. @throws FedsvdError CHECKPOINT_INVALID, RUNTIME_UNAVAILABLE */
export async function loadHuggingFaceTokenizer(
  folder: string,
  options?: TokenizerOptions,
): Promise<HuggingFaceTokenizer> {
  const { tokenizer, config } = await readTokenizerFiles(folder)
  return await HuggingFaceTokenizer.create(tokenizer, config, options)
}

/** BPE dropout (arXiv 1910.13267) leaves merges out at random: every reading of a text would give other ids. */
function requireOneResult({ model }: JsonObject): void {
  const { dropout } = (model ?? {}) as JsonObject
  if ((dropout ?? 0) !== 0) throw invalid('a model without dropout in tokenizer.json', JSON.stringify(dropout))
}

function invalid(expected: string, got: string, cause?: unknown): FedsvdError {
  const remedy = 'Save the tokenizer of the checkpoint in its fast form (tokenizer.json).'
  return new FedsvdError('CHECKPOINT_INVALID', { expected, got, remedy }, { cause })
}
