import { FedsvdError } from '@fedsvd/core/errors'
import { rowsOf, targetScore } from '@fedsvd/core/metrics'
import { type OnnxFile, type OnnxOutput, openOnnxFile } from '../runtime/index.ts'
import type { RuntimeSettings } from '../settings/index.ts'
import type { EncodedText } from '../tokenizers/index.ts'
import type { Scorer } from './scorer.ts'

/** Texts in one run, and places: enough to keep a CPU busy, few enough for its cache. */
const MOST_TEXTS = 16

/**
 * A model in an ONNX file that takes `input_ids`, `attention_mask` and, where it has it, `token_type_ids`, and gives
 * `logits`: [N, classes] where `outputs` says `texts`, [N, T, outputs] where it says `tokens`.
 *
 * @throws FedsvdError CHECKPOINT_INVALID for a file that is no such model
 */
export async function onnxScorer(path: string, kind: 'texts' | 'tokens', runtime: RuntimeSettings): Promise<Scorer> {
  const file = await openOnnxFile(path, runtime)
  const close = () => file[Symbol.asyncDispose]()
  const wrong = [...REQUIRED.filter((name) => !file.inputs.includes(name)), ...file.inputs.filter(isForeign)]
  if (wrong.length > 0 || !file.outputs.includes('logits')) {
    await close()
    throw invalid(path, `inputs ${file.inputs.join(', ')} and outputs ${file.outputs.join(', ')}`)
  }
  if (kind === 'texts') {
    return {
      logits: async (texts) => {
        const rows: Float32Array[] = []
        for (const batch of batchesOf(texts)) {
          const { data, shape } = await logitsOf(file, batch)
          if (shape.length !== 2) throw invalid(path, `logits of ${shape.length} dimensions`)
          rows.push(data)
        }
        return joined(rows)
      },
      [Symbol.asyncDispose]: close,
    }
  }
  return {
    scores: async (records) => {
      const found = []
      for (const record of records) {
        const { data, shape } = await logitsOf(file, [record])
        if (shape.length !== 3) throw invalid(path, `logits of ${shape.length} dimensions`)
        const rows = rowsOf(data, shape[2]!)
        const places = Array.from(record.targets, (target, at) => ({ target, at })).filter(({ target }) => target >= 0)
        const scored = places.map(({ target, at }) => targetScore(rows[at]!, target))
        found.push({
          losses: Float32Array.from(scored, ({ loss }) => loss),
          predicted: Int32Array.from(scored, ({ predicted }) => predicted),
        })
      }
      return found
    },
    [Symbol.asyncDispose]: close,
  }
}

const REQUIRED = ['input_ids', 'attention_mask']
const isForeign = (name: string): boolean => ![...REQUIRED, 'token_type_ids'].includes(name)

async function logitsOf(file: OnnxFile, texts: readonly EncodedText[]): Promise<OnnxOutput> {
  const length = texts.reduce((longest, { tokenIds }) => Math.max(longest, tokenIds.length), 0)
  const shape = [texts.length, length]
  const filled = (of: (text: EncodedText) => ArrayLike<number>): BigInt64Array => {
    const data = new BigInt64Array(texts.length * length)
    for (const [row, text] of texts.entries()) data.set(Array.from(of(text), BigInt), row * length)
    return data
  }
  const feeds = {
    input_ids: filled(({ tokenIds }) => tokenIds),
    attention_mask: filled(({ tokenIds }) => tokenIds.map(() => 1)),
    token_type_ids: filled(({ tokenIds, typeIds }) => typeIds ?? tokenIds.map(() => 0)),
  }
  const given = Object.entries(feeds).filter(([name]) => file.inputs.includes(name))
  return await file.run(Object.fromEntries(given.map(([name, data]) => [name, { shape, data }])), 'logits')
}

function* batchesOf(texts: readonly EncodedText[]): Generator<readonly EncodedText[]> {
  for (let start = 0; start < texts.length; start += MOST_TEXTS) yield texts.slice(start, start + MOST_TEXTS)
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function invalid(path: string, got: string): FedsvdError {
  return new FedsvdError('CHECKPOINT_INVALID', {
    expected: `${path} to take ${REQUIRED.join(', ')} and at most token_type_ids, and to give logits of this task`,
    got,
    remedy: 'Export the run again with --format onnx.',
  })
}
