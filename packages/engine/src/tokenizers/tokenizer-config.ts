import type { JsonObject } from '../files/index.ts'

/** Classes of Transformers whose fast tokenizers take case, accents and Chinese characters from the configuration. */
const BERT_CLASSES =
  /^(Bert|BertJapanese|ConvBert|DistilBert|DPR\w*|Electra|Funnel|LayoutLM|LayoutLMv2|Lxmert|MobileBert|MPNet|RealmTokenizer|Retribert|SqueezeBert)Tokenizer(Fast)?$/

/** Classes that always put their own begin token before a text, unless the configuration says otherwise. */
const LLAMA_CLASSES = /^(Llama|CodeLlama|Gemma)Tokenizer(Fast)?$/

/** Classes of byte-level tokenizers that put no space before a text, unless the configuration says otherwise. */
const UNSPACED_CLASSES = /^(GPT2|Roberta)Tokenizer(Fast)?$/

/** Post-processors that `add_bos_token` and `add_eos_token` replace; the others are of models that know neither. */
const REPLACED_PROCESSORS = new Set(['TemplateProcessing', 'ByteLevel', 'Sequence'])

/** Keys of `tokenizer_config.json` that name one special token. */
export const SPECIAL_KEYS = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token']

/**
 * `tokenizer.json` as Transformers' fast tokenizers use it, with what `tokenizer_config.json` changes in it:
 *
 * - `do_lower_case`, `strip_accents`, `tokenize_chinese_chars` set the normaliser of BERT's classes, whose defaults
 *   hold where the configuration is silent (lower case, accents as the case, Chinese characters apart);
 * - `add_prefix_space` sets a byte-level pre-tokeniser; it is off by default for the classes of GPT-2 and RoBERTa;
 * - `add_bos_token`, `add_eos_token` replace the post-processor of models that begin or end texts with such a token;
 * - `added_tokens_decoder` and the named special tokens become added tokens where `tokenizer.json` does not list them;
 * - truncation and padding that were saved with the tokenizer are switched off.
 *
 * Source: `BertTokenizerFast`, `LlamaTokenizerFast` and `PreTrainedTokenizerFast` of Transformers 4.57.
 */
export function withTokenizerConfig(tokenizer: JsonObject, config: JsonObject): JsonObject {
  const added = withAddedTokens(tokenizer, config)
  return {
    ...added,
    truncation: null,
    padding: null,
    normalizer: normaliserOf(added, config),
    pre_tokenizer: preTokeniserOf(added, config),
    post_processor: postProcessorOf(added, config),
  }
}

/** The text of a special token of `tokenizer_config.json`: a string, or an object around it. */
export function contentOf(token: unknown): string | undefined {
  const text = asObject(token)?.content ?? token
  return typeof text === 'string' ? text : undefined
}

function normaliserOf({ normalizer }: JsonObject, config: JsonObject): unknown {
  const known = asObject(normalizer)
  if (known?.type !== 'BertNormalizer' || !BERT_CLASSES.test(className(config))) return normalizer
  return {
    ...known,
    lowercase: config.do_lower_case ?? true,
    strip_accents: config.strip_accents ?? null,
    handle_chinese_chars: config.tokenize_chinese_chars ?? true,
  }
}

function preTokeniserOf({ pre_tokenizer: known }: JsonObject, config: JsonObject): unknown {
  const rules = asObject(known)
  const isSpaced = config.add_prefix_space ?? (UNSPACED_CLASSES.test(className(config)) ? false : undefined)
  if (rules?.type !== 'ByteLevel' || isSpaced === undefined) return known
  return { ...rules, add_prefix_space: isSpaced }
}

function postProcessorOf(tokenizer: JsonObject, config: JsonObject): unknown {
  const known = asObject(tokenizer.post_processor)
  const isLlama = LLAMA_CLASSES.test(className(config))
  const isNamed = typeof config.add_bos_token === 'boolean' || typeof config.add_eos_token === 'boolean'
  const isReplaced = known === undefined || REPLACED_PROCESSORS.has(String(known.type))
  if (!(isReplaced && (isLlama || isNamed))) return tokenizer.post_processor
  const begin = (config.add_bos_token ?? isLlama) ? specialToken(tokenizer, config.bos_token) : undefined
  const end = config.add_eos_token === true ? specialToken(tokenizer, config.eos_token) : undefined
  const around = (id: 'A' | 'B', type_id: number) => [
    ...(begin === undefined ? [] : [{ SpecialToken: { id: begin.content, type_id } }]),
    { Sequence: { id, type_id } },
    ...(end === undefined ? [] : [{ SpecialToken: { id: end.content, type_id } }]),
  ]
  const specials = [begin, end].filter((token) => token !== undefined)
  return {
    type: 'TemplateProcessing',
    single: around('A', 0),
    pair: [...around('A', 0), ...around('B', 1)],
    special_tokens: Object.fromEntries(
      specials.map(({ content, id }) => [content, { id: content, ids: [id], tokens: [content] }]),
    ),
  }
}

function withAddedTokens(tokenizer: JsonObject, config: JsonObject): JsonObject {
  const listed = asArray(tokenizer.added_tokens).flatMap((token) => asObject(token) ?? [])
  const known = new Set(listed.map(contentOf))
  const more: JsonObject[] = []
  const add = (token: JsonObject): void => {
    if (known.has(contentOf(token))) return
    known.add(contentOf(token))
    more.push(token)
  }
  for (const [id, token] of Object.entries(asObject(config.added_tokens_decoder) ?? {})) {
    const content = contentOf(token)
    if (content !== undefined) add(addedToken(token, content, Number(id)))
  }
  const extra = config.extra_special_tokens // an object by names of the model's own, in newer files a list
  const named = [
    ...SPECIAL_KEYS.map((key) => config[key]),
    ...asArray(config.additional_special_tokens),
    ...Object.values(asObject(extra) ?? asArray(extra)),
  ]
  for (const token of named) {
    const content = contentOf(token)
    const id = content === undefined ? undefined : idOf(tokenizer, content)
    if (content !== undefined && id !== undefined) add({ ...addedToken(token, content, id), special: true })
  }
  if (more.length === 0) return tokenizer
  return { ...tokenizer, added_tokens: [...listed, ...more] }
}

/** An entry of `added_tokens`: every option of the token, off where it is not named. */
function addedToken(token: unknown, content: string, id: number): JsonObject {
  const options = ['single_word', 'lstrip', 'rstrip', 'normalized', 'special'].map((option) => {
    return [option, asObject(token)?.[option] === true] as const
  })
  return { id, content, ...Object.fromEntries(options) }
}

function specialToken(tokenizer: JsonObject, token: unknown): { content: string; id: number } | undefined {
  const content = contentOf(token)
  const id = content === undefined ? undefined : idOf(tokenizer, content)
  return content === undefined || id === undefined ? undefined : { content, id }
}

/** The id of a token among the added ones or in the model's vocabulary: a list of pairs, or an object. */
function idOf(tokenizer: JsonObject, content: string): number | undefined {
  const added = asArray(tokenizer.added_tokens)
    .map(asObject)
    .find((token) => token?.content === content)
  if (typeof added?.id === 'number') return added.id
  const vocabulary = asObject(tokenizer.model)?.vocab
  if (Array.isArray(vocabulary)) {
    const at = vocabulary.findIndex((entry) => Array.isArray(entry) && entry[0] === content)
    return at < 0 ? undefined : at
  }
  const id = Object.hasOwn(asObject(vocabulary) ?? {}, content) ? asObject(vocabulary)![content] : undefined
  return typeof id === 'number' ? id : undefined
}

function className(config: JsonObject): string {
  return typeof config.tokenizer_class === 'string' ? config.tokenizer_class : ''
}

function asObject(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
