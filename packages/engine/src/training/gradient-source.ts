import type { GradientPart } from '@fedsvd/core/privacy'
import type { EncodedRecord } from '../datasets/index.ts'
import type { Lot } from './lots/index.ts'
import type { BatchShape } from './micro-batches.ts'

/** What a lot's sum goes through on its way. */
export interface LotSumOptions {
  /** A closed round stops between two micro-batches. */
  readonly signal?: AbortSignal | undefined
  /** A paused run waits here between two micro-batches. */
  readonly resumeGate?: (() => Promise<unknown>) | undefined
  /** Told how many members are done, after each micro-batch. */
  readonly onPart?: ((done: number) => void) | undefined
  /**
   * Told of each record that fails by itself: it contributes zeros, and all others what they contribute without it.
   * Absent: the first failure of a micro-batch is thrown.
   */
  readonly onFault?: ((error: unknown) => void) | undefined
}

/** How records of type R become gradients. */
export interface GradientSource<R extends EncodedRecord> {
  /** The record if the model can take it, else undefined. It may look at this record only. */
  accepted(record: EncodedRecord): R | undefined
  /** The shape of the micro-batch that computes a record: a function of this record's own length. */
  shapeOf(record: R): BatchShape
  /** One gradient for each of at most `shape.rows` records, over all trained tensors in their order. */
  gradients(records: readonly R[], shape: BatchShape): Promise<Iterable<readonly GradientPart[]>>
}

/**
 * The gradients of a micro-batch, one after the other; undefined for a record that fails by itself. Where the
 * micro-batch fails, each of its records is computed alone, in the same shape: what one of them does to the model is no
 * business of the others.
 */
export async function* gradientsOf<R extends EncodedRecord>(
  source: GradientSource<R>,
  records: readonly R[],
  shape: BatchShape,
  { signal, resumeGate, onFault }: LotSumOptions,
): AsyncGenerator<readonly GradientPart[] | undefined> {
  signal?.throwIfAborted()
  await resumeGate?.()
  const together = await settled(() => source.gradients(records, shape))
  if ('value' in together) {
    yield* together.value
    return
  }
  if (onFault === undefined) throw together.error
  for (const record of records) {
    signal?.throwIfAborted()
    const alone = await settled(() => source.gradients([record], shape))
    if ('error' in alone) onFault(alone.error)
    yield 'value' in alone ? [...alone.value][0] : undefined
  }
}

async function settled<T>(compute: () => Promise<T>): Promise<{ readonly value: T } | { readonly error: unknown }> {
  try {
    return { value: await compute() }
  } catch (error) {
    return { error }
  }
}

/** The record at a position if it can be read and the model can take it. */
export function recordAt<R extends EncodedRecord>(
  { records, source, onFault }: Pick<Lot, 'records'> & { readonly source: GradientSource<R> } & LotSumOptions,
  position: number,
): R | undefined {
  try {
    return source.accepted(records.read(position))
  } catch (error) {
    if (onFault === undefined) throw error
    onFault(error)
    return undefined
  }
}
