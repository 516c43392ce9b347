import { FedsvdError } from '@fedsvd/core/errors'
import { bufferedAggregation, registerAggregationRule, registerMethod } from '@fedsvd/core/federation'
import { numberIn, wholeIn } from '@fedsvd/core/limits'
import { registerInitialiser } from '@fedsvd/core/lora'
import { registerModel } from '../training/base-models.ts'

/**
 * What an extension is given. It imports nothing of fedsvd but types: the registries are those of the process that
 * loads it.
 */
export const extensionApi = {
  registerAggregationRule,
  registerMethod,
  registerInitialiser,
  registerModel,
  /**
   * Graph operators, layers with adapters and the private engine of a classifier; loaded when a model is first used.
   */
  loadModelKit: () => import('../training/model-kit.ts'),
  /** An aggregation that keeps every update until all are there. */
  bufferedAggregation,
  /** Terms: a number within `{ least, most, because }`, whole or not. */
  wholeIn,
  numberIn,
  /** What everything throws on purpose: `new FedsvdError(code, { expected, got, remedy })`. */
  FedsvdError,
}

export type ExtensionApi = typeof extensionApi

/** The default export of an extension: registers what it adds. It is called once in each thread that needs it. */
export type Extension = (fedsvd: ExtensionApi) => void | Promise<void>
