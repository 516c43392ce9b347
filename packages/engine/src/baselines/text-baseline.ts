import { fitLogistic, type LogisticModel } from './logistic-regression.ts'
import { fitTfIdf, type TfIdf } from './tf-idf.ts'

export interface LabelledText {
  readonly text: string
  readonly label: number
}

/** What the penalty is chosen from, as 1 / (C x texts); C as libraries for it have it. */
const STRENGTHS = [1, 10, 100]

/**
 * The strongest simple classifier of texts, TF-IDF of words and pairs of words with logistic regression, trained on
 * these texts **without privacy**: for the site's own eyes. How strongly it is held back is chosen by a fifth of the
 * texts, which are trained on afterwards as well.
 *
 * @returns the class of a text
 */
export function fitTextBaseline(texts: readonly LabelledText[], classes: number): (text: string) => number {
  const isKept = (_: unknown, index: number): boolean => index % 5 === 0
  const validation = texts.filter(isKept)
  const training = texts.filter((one, index) => !isKept(one, index))
  const tfIdf = fitTfIdf(training.map(({ text }) => text))
  const right = (model: LogisticModel): number =>
    validation.filter(({ text, label }) => model.predict(tfIdf.vectorOf(text)) === label).length
  const tried = STRENGTHS.map((strength) => ({ strength, right: right(fit(training, tfIdf, classes, strength)) }))
  const best = tried.reduce((found, one) => (one.right > found.right ? one : found))
  const ofAll = fitTfIdf(texts.map(({ text }) => text))
  const model = fit(texts, ofAll, classes, best.strength)
  return (text) => model.predict(ofAll.vectorOf(text))
}

function fit(texts: readonly LabelledText[], tfIdf: TfIdf, classes: number, strength: number): LogisticModel {
  const examples = texts.map(({ text, label }) => ({ vector: tfIdf.vectorOf(text), label }))
  return fitLogistic(examples, { classes, size: tfIdf.size, penalty: 1 / (strength * texts.length) })
}
