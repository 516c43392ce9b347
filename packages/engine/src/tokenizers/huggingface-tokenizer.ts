import { FedsvdError } from '@fedsvd/core/errors'
import type { Encoding, Tokenizer as RustTokenizer } from 'tokenizers'
import type { JsonObject } from '../files/index.ts'
import { requireSameIds, requireTokenizerConfig } from './require-config.ts'
import type { EncodedText, EncodedWords, Tokenizer } from './tokenizer.ts'
import { contentOf, withTokenizerConfig } from './tokenizer-config.ts'
import { readTokenizerFiles, type TokenizerFiles } from './tokenizer-files.ts'

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
  readonly #pairs: PairEncoder
  /** The special tokens before a text and behind it. */
  readonly #before: readonly number[]
  readonly #behind: readonly number[]
  readonly #cutsLeft: boolean
  readonly #spaceBeforeWords: boolean
  /** What stands for a text that gives no token at all. */
  readonly #blank: number

  private constructor(rust: RustTokenizer, pairs: PairEncoder, around: Around, files: TokenizerFiles) {
    const { tokenizer, config } = files
    this.#rust = rust
    this.#pairs = pairs
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
   * @throws FedsvdError CHECKPOINT_INVALID for files that describe no tokenizer, RUNTIME_UNAVAILABLE where the library
   *   has no build for this platform
   */
  static async create(tokenizer: JsonObject, config: JsonObject = {}): Promise<HuggingFaceTokenizer> {
    requireTokenizerConfig(config)
    requireOneResult(tokenizer)
    const { Tokenizer: Rust } = await loadLibrary()
    const described = withTokenizerConfig(tokenizer, config)
    const make = () => Rust.fromString(JSON.stringify(described))
    let rust: RustTokenizer
    try {
      rust = make()
      if (!(rust.getVocabSize(true) > 0)) throw new Error('an empty vocabulary')
    } catch (cause) {
      throw invalid('a tokenizer.json that describes a tokenizer', String(cause), cause)
    }
    await requireUnknownToken(rust)
    requireSameIds(config, (content) => rust.tokenToId(content))
    const pairs = pairEncoder(make, config.truncation_side === 'left' ? 'left' : 'right')
    return new HuggingFaceTokenizer(rust, pairs, await aroundText(rust), { tokenizer: described, config })
  }

  async encode(text: string, maxTokens: number): Promise<Int32Array> {
    const kept = this.#cut(await this.#idsOf(text), this.#room(maxTokens))
    const ids = [...this.#before, ...kept, ...this.#behind]
    return Int32Array.from(ids.length > 0 ? ids : [this.#blank])
  }

  async encodePair(first: string, second: string, maxTokens: number): Promise<EncodedText> {
    const encoding = await this.#pairs(first, second, maxTokens)
    return { tokenIds: Int32Array.from(encoding.getIds()), typeIds: Int32Array.from(encoding.getTypeIds()) }
  }

  /** As Transformers' `is_split_into_words`; byte-level vocabularies have words behind a space. */
  async encodeWords(words: readonly string[], maxTokens: number): Promise<EncodedWords> {
    const room = this.#room(maxTokens)
    const spaced = words.map((word) => (this.#spaceBeforeWords ? ` ${word}` : word))
    const encoded = await this.#rust.encodeBatch(spaced, { addSpecialTokens: false })
    const pieces: number[] = []
    const firstTokens = encoded.map((word) => {
      const own = word.getIds()
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

  /** The ids of a text, without special tokens and uncut. */
  async #idsOf(text: string): Promise<readonly number[]> {
    return (await this.#rust.encode(text, null, { addSpecialTokens: false })).getIds()
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
async function aroundText(rust: RustTokenizer): Promise<Around> {
  for (const probe of [...PROBES, ...Object.keys(rust.getVocab(true)).slice(0, MOST_PROBES)]) {
    const encoding = await rust.encode(probe)
    const [ids, sequences] = [encoding.getIds(), encoding.getSequenceIds()]
    const isOfText = (sequence: unknown) => typeof sequence === 'number'
    const first = sequences.findIndex(isOfText)
    if (first < 0) continue
    return { before: ids.slice(0, first), behind: ids.slice(sequences.findLastIndex(isOfText) + 1) }
  }
  throw invalid('a tokenizer whose special tokens stand around the text', 'one that leaves every text out')
}

/** Letters that hardly any vocabulary has. */
const RARE_TEXT = 'ᠠ 𒀀'

/** Without a token for what it does not know, a tokenizer fails on the first record that has such a character. */
async function requireUnknownToken(rust: RustTokenizer): Promise<void> {
  try {
    await rust.encode(RARE_TEXT)
  } catch (cause) {
    throw invalid('a tokenizer that has a token for what it does not know', String(cause), cause)
  }
}

type PairEncoder = (first: string, second: string, maxTokens: number) => Promise<Encoding>

/**
 * Pairs are cut by the library itself, since which text loses the odd token hangs on how far it looked into each of
 * them. Its limit is a setting of the tokenizer: this one is used for pairs alone, and for one after the other.
 */
function pairEncoder(make: () => RustTokenizer, direction: 'left' | 'right'): PairEncoder {
  let rust: RustTokenizer | undefined
  let last: Promise<unknown> = Promise.resolve()
  const encode = async (first: string, second: string, maxTokens: number): Promise<Encoding> => {
    rust ??= make()
    rust.disableTruncation()
    roomFor(maxTokens, (await rust.encode('', '')).getIds().length)
    if (maxTokens !== Number.POSITIVE_INFINITY) rust.setTruncation(maxTokens, { direction })
    return await rust.encode(first, second)
  }
  return (first, second, maxTokens) => {
    const encoding = last.then(() => encode(first, second, maxTokens))
    last = encoding.catch(() => {})
    return encoding
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
export async function loadHuggingFaceTokenizer(folder: string): Promise<HuggingFaceTokenizer> {
  const { tokenizer, config } = await readTokenizerFiles(folder)
  return await HuggingFaceTokenizer.create(tokenizer, config)
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
