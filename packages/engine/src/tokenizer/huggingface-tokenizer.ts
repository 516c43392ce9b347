import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import { Tokenizer as Pieces } from '@huggingface/tokenizers'
import type { EncodedText, EncodedWords, Tokenizer } from './tokenizer.ts'

type JsonObject = Readonly<Record<string, unknown>>

/**
 * The tokenizer of a checkpoint, as `tokenizer.json` and `tokenizer_config.json` describe it.
 *
 * Texts go in as they are. Longer ones are cut before the special tokens are added, so that these are always there; of two
 * texts the longer one is cut, as "longest_first" does in Hugging Face's own library.
 */
export class HuggingFaceTokenizer implements Tokenizer {
  readonly vocabularySize: number
  readonly keepsWhiteSpace = true
  readonly endId: number | undefined
  readonly #pieces: Pieces
  readonly #cutsLeft: boolean
  readonly #spaceBeforeWords: boolean

  /** @throws FedsvdError CHECKPOINT_INVALID for files that describe no tokenizer */
  constructor(tokenizer: JsonObject, config: JsonObject = {}) {
    try {
      this.#pieces = new Pieces(tokenizer, config)
    } catch (cause) {
      throw invalid('a tokenizer.json that describes a tokenizer', String(cause), cause)
    }
    this.#cutsLeft = config.truncation_side === 'left'
    this.#spaceBeforeWords = isByteLevel(tokenizer)
    this.vocabularySize = this.#pieces.model?.vocab.length ?? 0
    const end = contentOf(config.eos_token)
    this.endId = end === undefined ? undefined : this.#pieces.token_to_id(end)
  }

  encode(text: string, maxTokens: number): Int32Array {
    const room = this.#room(maxTokens, this.#withSpecials([]).tokens.length)
    const { tokens } = this.#withSpecials(this.#cut(this.pieces(text), room))
    return this.ids(tokens.length > 0 ? tokens : [this.#pieces.model?.unk_token ?? ''])
  }

  encodePair(first: string, second: string, maxTokens: number): EncodedText {
    const room = this.#room(maxTokens, this.#withSpecials([], []).tokens.length)
    const [a, b] = [this.pieces(first), this.pieces(second)]
    const [keptOfA, keptOfB] = longestFirst(a.length, b.length, room)
    const { tokens, types } = this.#withSpecials(this.#cut(a, keptOfA), this.#cut(b, keptOfB))
    return { tokenIds: this.ids(tokens), typeIds: Int32Array.from(types) }
  }

  /** As Hugging Face's `is_split_into_words`; byte-level vocabularies have words behind a space. */
  encodeWords(words: readonly string[], maxTokens: number): EncodedWords {
    const { before, behind } = this.#around()
    const room = this.#room(maxTokens, before.length + behind.length)
    const pieces: string[] = []
    const firstTokens = words.map((word) => {
      const own = this.pieces(this.#spaceBeforeWords ? ` ${word}` : word)
      const first = own.length > 0 && pieces.length < room ? before.length + pieces.length : -1
      pieces.push(...own)
      return first
    })
    const tokenIds = this.ids([...before, ...pieces.slice(0, room), ...behind])
    return { tokenIds, firstTokens: Int32Array.from(firstTokens) }
  }

  encodeBeginning(text: string): Int32Array {
    return this.ids([...this.#around().before, ...this.pieces(text)])
  }

  encodeContinuation(text: string): Int32Array {
    return this.ids(this.pieces(text))
  }

  /** The pieces of a text, without special tokens and uncut. */
  pieces(text: string): readonly string[] {
    return this.#pieces.tokenize(text)
  }

  /** The ids of pieces; an unknown one is the unknown token. @throws FedsvdError CHECKPOINT_INVALID where there is none */
  ids(pieces: readonly string[]): Int32Array {
    return Int32Array.from(pieces, (piece) => {
      const id = this.#pieces.token_to_id(piece) ?? this.#pieces.model?.unk_token_id
      if (id === undefined) throw invalid('a token for every text, or an unknown token', 'a text with neither')
      return id
    })
  }

  /** The special tokens on either side of a text. */
  #around(): { readonly before: readonly string[]; readonly behind: readonly string[] } {
    const { tokens } = this.#withSpecials([PLACEHOLDER])
    const at = tokens.indexOf(PLACEHOLDER)
    return { before: tokens.slice(0, at), behind: tokens.slice(at + 1) }
  }

  #withSpecials(first: readonly string[], second?: readonly string[]): { tokens: string[]; types: number[] } {
    const processed = this.#pieces.post_processor?.post_process([...first], second ? [...second] : null, true)
    const { tokens = [...first], tokens_pair: pair, token_type_ids: types } = processed ?? {}
    // a processor that adds nothing leaves the second text beside the first
    const rest = processed === undefined ? second : pair
    const all = rest ? [...tokens, ...rest] : tokens
    return {
      tokens: all,
      types: types?.length === all.length ? types : typesAfter(tokens.length, all.length),
    }
  }

  #cut(pieces: readonly string[], kept: number): readonly string[] {
    return this.#cutsLeft ? pieces.slice(Math.max(0, pieces.length - kept)) : pieces.slice(0, kept)
  }

  #room(maxTokens: number, specials: number): number {
    if (maxTokens === Number.POSITIVE_INFINITY || (Number.isInteger(maxTokens) && maxTokens > specials)) {
      return maxTokens - specials
    }
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `maxTokens to be an integer above the ${specials} special tokens`,
      got: String(maxTokens),
      remedy: 'Give the number of tokens that the model looks at, such as 128.',
    })
  }
}

/** Stands for a text among special tokens; no vocabulary has it. */
const PLACEHOLDER = '\0'

/** Whether pieces know a space before them, as in the vocabularies of GPT-2, RoBERTa, Llama 3 and Qwen. */
function isByteLevel({ pre_tokenizer: rules }: JsonObject): boolean {
  return (JSON.stringify(rules) ?? '').includes('"ByteLevel"')
}

/** A special token of tokenizer_config.json: its text, or an object around it. */
function contentOf(token: unknown): string | undefined {
  const text = typeof token === 'object' && token !== null ? (token as JsonObject).content : token
  return typeof text === 'string' ? text : undefined
}

/** Reads the tokenizer of a checkpoint folder. @throws FedsvdError CHECKPOINT_INVALID */
export async function loadHuggingFaceTokenizer(folder: string): Promise<HuggingFaceTokenizer> {
  const tokenizer = await readJson(join(folder, 'tokenizer.json'))
  if (tokenizer === undefined) {
    throw invalid(`a tokenizer.json in ${folder}`, 'none')
  }
  return new HuggingFaceTokenizer(tokenizer, await readJson(join(folder, 'tokenizer_config.json')))
}

async function readJson(path: string): Promise<JsonObject | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as JsonObject
  } catch (cause) {
    throw invalid(`JSON in ${path}`, 'something else', cause)
  }
}

/** 0 for the first `first` of `all` tokens, then 1. */
function typesAfter(first: number, all: number): number[] {
  return Array.from({ length: all }, (_, at) => Number(at >= first))
}

/** How many tokens of two texts are kept: the shorter one whole, unless it has more than half of the room. */
function longestFirst(first: number, second: number, room: number): readonly [number, number] {
  if (first + second <= room) return [first, second]
  const half = Math.floor(room / 2)
  const shorter = Math.min(first, second)
  if (shorter <= half) return first <= second ? [first, room - first] : [room - second, second]
  return first > second ? [room - half, half] : [half, room - half]
}

function invalid(expected: string, got: string, cause?: unknown): FedsvdError {
  const remedy = 'Save the tokenizer of the checkpoint in its fast form (tokenizer.json).'
  return new FedsvdError('CHECKPOINT_INVALID', { expected, got, remedy }, { cause })
}
