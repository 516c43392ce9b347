import { type Interval, wilsonInterval } from './wilson-interval.ts'

/**
 * Records by their class and the predicted one: `confusion[target][predicted]`, as many rows as columns. Counts may
 * carry noise: below zero they stand for none.
 */
export type Confusion = readonly (readonly number[])[]

/** A figure is absent where nothing decides it: a division of zero by zero. */
export interface ClassFigures {
  /** Of those predicted as this class, the share that is of it. */
  readonly precision?: number
  /** Of those of this class, the share that was predicted as it. */
  readonly recall?: number
  /** 2 TP / (2 TP + FP + FN). */
  readonly f1?: number
  /** Records of this class. */
  readonly support: number
}

export interface ConfusionFigures {
  readonly records: number
  /** 0 without records. */
  readonly accuracy: number
  /** At 95 %; for exact counts of independent records. */
  readonly accuracyInterval: Interval
  /** The accuracy of always predicting the most frequent class: the majority-class baseline. */
  readonly majority: number
  /** The plain mean of F1 over the classes that occur or are predicted; absent where none is. */
  readonly macroF1?: number
  readonly classes: readonly ClassFigures[]
}

/** Counts pairs of class numbers in [0, classes). */
export function confusionOf(targets: ArrayLike<number>, predicted: ArrayLike<number>, classes: number): Confusion {
  const counts = Array.from({ length: classes }, () => Array.from({ length: classes }, () => 0))
  for (let index = 0; index < targets.length; index++) counts[targets[index]!]![predicted[index]!]! += 1
  return counts
}

/** What a confusion matrix says about a classifier. */
export function confusionFigures(confusion: Confusion): ConfusionFigures {
  const counts = confusion.map((row) => row.map((count) => Math.max(0, count)))
  const support = counts.map(sum)
  const asPredicted = counts.map((_, column) => sum(counts.map((row) => row[column]!)))
  const right = counts.map((row, index) => row[index]!)
  const records = sum(support)
  const classes = counts.map((_, index): ClassFigures => {
    const [precision, recall] = [share(right[index]!, asPredicted[index]!), share(right[index]!, support[index]!)]
    const f1 = share(2 * right[index]!, asPredicted[index]! + support[index]!)
    return {
      ...(precision !== undefined && { precision }),
      ...(recall !== undefined && { recall }),
      ...(f1 !== undefined && { f1 }),
      support: support[index]!,
    }
  })
  const f1s = classes.flatMap(({ f1 }) => (f1 === undefined ? [] : [f1]))
  const macroF1 = share(sum(f1s), f1s.length)
  return {
    records,
    accuracy: share(sum(right), records) ?? 0,
    accuracyInterval: wilsonInterval(sum(right), records),
    majority: share(Math.max(0, ...support), records) ?? 0,
    ...(macroF1 !== undefined && { macroF1 }),
    classes,
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function share(part: number, whole: number): number | undefined {
  return whole > 0 ? part / whole : undefined
}
