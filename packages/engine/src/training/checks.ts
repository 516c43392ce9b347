import { FedsvdError } from '@fedsvd/core/errors'
import { type AdapterSchema, type AdapterState, stateSpecs, tensorsOfState } from '@fedsvd/core/lora'
import { areFinite, type NamedTensor, sizeOf } from '@fedsvd/core/tensor'
import { IGNORED } from '../datasets/index.ts'
import type { EncodedRecord } from './training-engine.ts'

/** What the model can take. */
export interface RecordLimits {
  /** Longest record that is accepted. */
  readonly maxTokens: number
  /** Places that the model has; records may be padded up to it. */
  readonly positions: number
  readonly vocabularySize: number
  /** Labels, tags or tokens that a target may be. */
  readonly classes: number
}

/** Throws SHAPE_MISMATCH or NOT_FINITE unless the state has exactly the schema's tensors, all finite. */
export function checkState(schema: AdapterSchema, state: AdapterState): readonly NamedTensor[] {
  const specs = stateSpecs(schema)
  const tensors = tensorsOfState(state)
  for (const [index, { name, shape }] of specs.entries()) {
    const tensor = tensors[index]
    const got = tensor ? `"${tensor.name}" [${tensor.shape.join(', ')}] with ${tensor.data.length} values` : 'none'
    if (tensor?.name !== name || String(tensor.shape) !== String(shape) || tensor.data.length !== sizeOf(shape)) {
      throw mismatch(`the tensor "${name}" [${shape.join(', ')}]`, got, 'Use the adapter schema of the engine.')
    }
    if (!areFinite(tensor.data)) throw notFinite(`finite values in "${name}"`, 'NaN or infinity')
  }
  if (tensors.length !== specs.length) {
    throw mismatch(`${specs.length} tensors`, `${tensors.length}`, 'Use the adapter schema of the engine.')
  }
  return tensors
}

/** Throws what is wrong with the first record that is not sound, and says which one it is. */
export function requireSound(
  records: readonly EncodedRecord[],
  fault: (record: EncodedRecord) => FedsvdError | undefined,
): void {
  for (const [position, record] of records.entries()) {
    const found = fault(record)
    if (found === undefined) continue
    const { code, detail } = found
    throw new FedsvdError(code, { ...detail, got: `${detail.got} in record ${position}` })
  }
}

/** DATA_EMPTY or SHAPE_MISMATCH for a token list that the model cannot read. */
export function tokensFault(
  { tokenIds, typeIds }: EncodedRecord,
  { maxTokens, vocabularySize }: RecordLimits,
): FedsvdError | undefined {
  if (tokenIds.length === 0) {
    return new FedsvdError('DATA_EMPTY', {
      expected: 'at least one token in every record',
      got: 'a record without tokens',
      remedy: 'Drop records without text before training.',
    })
  }
  if (tokenIds.length > maxTokens) {
    const remedy = 'Truncate the token lists when they are encoded.'
    return mismatch(`at most ${maxTokens} tokens`, `${tokenIds.length}`, remedy)
  }
  if (!tokenIds.every((id) => id >= 0 && id < vocabularySize)) {
    const expected = `token ids from 0 to ${vocabularySize - 1}`
    return mismatch(expected, 'another id', "Encode the texts with the model's own tokenizer.")
  }
  if (typeIds && !(typeIds.length === tokenIds.length && typeIds.every((type) => type === 0 || type === 1))) {
    return mismatch('0 or 1 as the type of every token', 'others', 'Encode the texts in pairs.')
  }
  return undefined
}

/** SHAPE_MISMATCH for a record without a label, LABEL_UNKNOWN for a label that is not 0 .. classes - 1. */
export function labelFault(record: EncodedRecord, { classes }: RecordLimits): FedsvdError | undefined {
  if (!('label' in record)) return otherTask('one label', 'targets for tokens')
  const { label } = record
  if (Number.isInteger(label) && label >= 0 && label < classes) return undefined
  return labelUnknown(`a label from 0 to ${classes - 1}`, `${label}`)
}

/** SHAPE_MISMATCH unless every token has a target, LABEL_UNKNOWN for one that is neither a class nor ignored. */
export function targetsFault(record: EncodedRecord, { classes }: RecordLimits): FedsvdError | undefined {
  if (!('targets' in record)) return otherTask('a target for every token', 'one label')
  const { targets, tokenIds } = record
  if (targets.length !== tokenIds.length) {
    return otherTask('a target for every token', `${targets.length} for ${tokenIds.length}`)
  }
  if (targets.every((target) => target === IGNORED || (target >= 0 && target < classes))) return undefined
  return labelUnknown(`targets from 0 to ${classes - 1}, or ${IGNORED}`, 'another one')
}

/** Throws CONFIG_INVALID unless texts may be so long: `most` is what the checkpoint takes. */
export function checkMaxTokens(maxTokens: number, most: number): void {
  if (Number.isInteger(maxTokens) && maxTokens >= 1 && maxTokens <= most) return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `maxTokens from 1 to ${most}`,
    got: `${maxTokens}`,
    remedy: 'Longer texts are truncated when they are encoded.',
  })
}

/** Throws NOT_FINITE when a result of the graph is NaN or infinite; `what` names it without quoting private values. */
export function checkFinite(values: Float32Array, what: string): void {
  if (!values.every(Number.isFinite)) throw notFinite(`a finite ${what} for every record`, 'NaN or infinity')
}

function labelUnknown(expected: string, got: string): FedsvdError {
  const remedy = 'Map the labels of the data set to the label set of the run.'
  return new FedsvdError('LABEL_UNKNOWN', { expected, got, remedy })
}

function otherTask(expected: string, got: string): FedsvdError {
  return mismatch(expected, got, 'Encode the records for the task of the run.')
}

function notFinite(expected: string, got: string): FedsvdError {
  return new FedsvdError('NOT_FINITE', {
    expected,
    got,
    remedy: 'Lower the learning rate, or start from sound factors.',
  })
}

function mismatch(expected: string, got: string, remedy: string): FedsvdError {
  return new FedsvdError('SHAPE_MISMATCH', { expected, got, remedy })
}
