import type { PrivacyUnit } from '@fedsvd/core/accounting'

/** What one site is promised, and against whom. */
export interface SitePrivacy {
  readonly name: string
  /** What was spent so far, at most. */
  readonly epsilonUpperBound: number
  /** The limit that is enforced: the guarantee. */
  readonly budget: number
  readonly delta: number
  readonly unit: PrivacyUnit
  readonly relation: 'add-or-remove-one'
  readonly adversary: string
}

/** What a run says about the model that came out of it: the facts of a model card. */
export interface RunFacts {
  readonly runId: string
  readonly name: string
  /** Rounds published when the state was taken. */
  readonly rounds: number
  /** The run that this one went on from, and after how many of its rounds. */
  readonly startFrom?: { readonly runId: string; readonly rounds: number }
  readonly method: string
  /** Name of the base model. */
  readonly model: string
  readonly training: {
    readonly localSteps: number
    readonly expectedLotSize: number
    readonly clipNorm: number
    readonly learningRate: number
    readonly momentum: number
    readonly clientsPerRound: number
    /** What the run asked each site to spend at most. */
    readonly target: { readonly epsilon: number; readonly delta: number }
  }
  readonly privacy: readonly SitePrivacy[]
  /** Why no epsilon of the run holds. */
  readonly notPrivate?: string | undefined
  /** On the coordinator's public records, of the state that is exported. */
  readonly evaluation?:
    | {
        readonly accuracy: number
        readonly loss: number
        readonly records: number
        readonly microF1?: number | undefined
      }
    | undefined
  /** What the sites measured on units that they do not train on, with noise: of the same state. */
  readonly atSites?:
    | { readonly accuracy: number; readonly interval: { readonly low: number; readonly high: number } }
    | undefined
  /** The accuracy of always predicting the most frequent class, tag or token on the same records. */
  readonly majority?: number | undefined
}
