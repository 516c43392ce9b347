import { z } from 'zod'
import { ADVERSARY } from '../accounting/index.ts'
import { LIMITS, numberIn, wholeIn } from '../limits/index.ts'
import { identifierSchema } from './identifier.ts'
import {
  adapterSchemaSchema,
  clientLevelSchema,
  runManifestSchema,
  sha256Hex,
  siteEvaluationSchema,
} from './manifest.ts'
import { keepStatesSchema } from './registered-models.ts'
import { runStateSchema } from './run-state.ts'
import { storedForm } from './stored-form.ts'

const count = wholeIn(LIMITS.count)
const measured = numberIn(LIMITS.measured)
/** The bound beside it is not the tight one: the events are none that a run of today can have, or there was no time. */
const looseBound = z.literal(true).optional()

/**
 * What an operator (or the CLI on their behalf) sends to open a run: the manifest without what the coordinator decides.
 */
export const runRequestSchema = runManifestSchema.omit({ runId: true, adapter: true }).extend({
  adapter: adapterSchemaSchema.pick({ rank: true, alpha: true, headMode: true }).extend({
    /** Suffixes of the adapted layers' names; absent means the model's default. */
    targets: z.array(z.string().min(1)).min(1).optional(),
  }),
  /**
   * Without a noiseMultiplier: the least noise with which a client that takes part in every round stays within the
   * budget.
   */
  clientLevel: clientLevelSchema.partial({ noiseMultiplier: true }).optional(),
  /** Without a noiseMultiplier: the least with which all evaluations cost no more than the target of the run. */
  siteEvaluation: siteEvaluationSchema.partial({ noiseMultiplier: true }).optional(),
  /** Which of its states stay once it is over; absent: as the coordinator is set. */
  keep: keepStatesSchema.optional(),
  /** The run to go on from, and after which of its rounds; without one, from its newest state. */
  startFrom: z
    .strictObject({
      runId: identifierSchema,
      round: z.union([count, z.literal('best')]).optional(),
      /** Where it is given, as in the manifest of a run that is cloned, the state has to be this one. */
      sha256: sha256Hex.optional(),
    })
    .optional(),
})
export type RunRequest = z.infer<typeof runRequestSchema>

/**
 * What operators may change while a run goes on. It begins as the manifest has it and is kept beside it, as clients
 * have hashed the manifest; a round keeps the plan that it began with.
 */
export const runPlanSchema = runManifestSchema.pick({
  rounds: true,
  quorum: true,
  clientsPerRound: true,
  deadlineSeconds: true,
})
export type RunPlan = z.infer<typeof runPlanSchema>

/** What the next round of a run goes by: the last change of its plan, or its manifest. */
export function planOf(manifest: RunPlan, last?: RunPlan): RunPlan {
  const { rounds, quorum, clientsPerRound, deadlineSeconds } = last ?? manifest
  return { rounds, quorum, clientsPerRound, deadlineSeconds }
}

/** PATCH /v1/runs/:runId/plan: what is to be otherwise from the next round on. */
export const planChangeSchema = z
  .strictObject(runPlanSchema.partial().shape)
  .refine((change) => Object.keys(change).length > 0, 'expected at least one field')
export type PlanChange = z.infer<typeof planChangeSchema>

export const roundStateSchema = z.enum(['selected', 'tasked', 'received', 'aggregated', 'published'])
export type RoundState = z.infer<typeof roundStateSchema>

/** What a published state is worth on the coordinator's public hold-out; `loss` in nats. */
const evaluationSchema = z.strictObject({
  accuracy: measured,
  loss: measured,
  records: count,
  /** Of tags alone: micro-averaged F1 over all labels but "O". */
  microF1: measured.optional(),
})
export type Evaluation = z.infer<typeof evaluationSchema>

const unitInterval = z.strictObject({ low: measured, high: measured })

/**
 * What sites counted of a state on units that they do not train on, with what noise leaves of it: estimates, within
 * their interval at 95 %. Units (records, or persons) weigh the same.
 */
const siteFiguresSchema = z.strictObject({
  units: measured,
  accuracy: measured,
  interval: unitInterval,
  /** In nats; each unit's is clipped at twice that of guessing. */
  loss: measured,
  /** What always predicting the most frequent class would reach. */
  majority: measured.optional(),
  /** By class, in the order of the labels. */
  classes: z.array(z.strictObject({ units: measured, right: measured })).optional(),
  confusion: z.array(z.array(measured)).optional(),
  calibrationError: measured.optional(),
})

/** Of all sites together, and of each by itself. */
const siteEvaluationFiguresSchema = siteFiguresSchema.extend({
  sites: z.array(
    siteFiguresSchema
      .pick({ units: true, accuracy: true, interval: true })
      .extend({ clientId: identifierSchema, name: z.string() }),
  ),
})
export type SiteEvaluationFigures = z.infer<typeof siteEvaluationFiguresSchema>

/**
 * A run as its operators see it: `GET /v1/runs/:runId`, and the `run` event of the `/operator` namespace.
 * Every epsilon here is an upper bound at the delta beside it, add-or-remove-one, for the unit and against the
 * adversary beside it.
 */
export const runSnapshotSchema = z.strictObject({
  runId: identifierSchema,
  name: z.string(),
  state: runStateSchema,
  reason: z.string().optional(),
  /** Why no epsilon of the run holds: its random numbers were not secure. Absent for every other run. */
  notPrivate: z.string().optional(),
  /** As it is stored: runs of earlier releases may hold numbers that no new run can have. */
  manifest: storedForm(runManifestSchema),
  /** What the next round goes by. Version 0 is the manifest's. */
  plan: storedForm(
    runPlanSchema.extend({
      version: count,
      changedAt: z.iso.datetime().optional(),
      /** The actor of the audit entry. */
      changedBy: z.string().optional(),
    }),
  ).optional(),
  /** Which of its states stay once it is over. */
  keep: keepStatesSchema.optional(),
  /** Rounds published so far. */
  roundsDone: count,
  current: z
    .strictObject({
      round: count,
      state: roundStateSchema,
      selected: z.array(z.string()),
      received: z.array(z.string()),
      openedAt: z.iso.datetime().optional(),
      /** Without a quorum by then, the round waits for another term. */
      deadline: z.iso.datetime().optional(),
      /** How often that has happened. */
      extensions: count.optional(),
    })
    .optional(),
  /** Those that are published: all of them in `GET /v1/runs/:runId`, the newest 20 in lists and in the `run` event. */
  rounds: z.array(
    z.strictObject({
      round: count,
      clients: z.array(z.string()),
      /** Updates of earlier rounds, [client, round], that were moved to the basis of this one and counted here. */
      late: z.array(z.tuple([z.string(), count])).optional(),
      seconds: measured,
      /** public: measured on the coordinator's public hold-out, absent where there is none */
      evaluation: evaluationSchema.optional(),
      /** noised: measured by the sites in the round behind, where the run evaluates at them. */
      siteEvaluation: siteEvaluationFiguresSchema.optional(),
    }),
  ),
  baseline: z.strictObject({ majority: measured, records: count }).optional(),
  clients: z.array(
    z.strictObject({
      clientId: identifierSchema,
      name: z.string(),
      connected: z.boolean(),
      steps: count,
      epsilonUpperBound: numberIn(LIMITS.epsilonSpent),
      looseBound,
      delta: measured,
      budget: measured,
      exhausted: z.boolean(),
      /** The code with which it left the run. */
      withdrawal: z.string().optional(),
      /**
       * Rounds of those that have not begun that its budget and its cap pay for, were it asked in each; absent for a
       * run that has ended.
       */
      roundsLeft: count.optional(),
      unit: z.enum(['record', 'person']).default('record'),
      adversary: z.string().default(ADVERSARY.record),
      /**
       * What all runs of this coordinator have cost the client, per record, where an operator has put a cap on it;
       * absent for a run that has ended: a record is not changed by caps that are set later.
       */
      cap: z
        .strictObject({
          epsilonUpperBound: numberIn(LIMITS.epsilonSpent),
          looseBound,
          delta: measured,
          budget: measured,
          exhausted: z.boolean(),
        })
        .optional(),
      /** What the coordinator's own noise has cost this client, in all runs of this coordinator; absent without it. */
      clientLevel: z
        .strictObject({
          draws: count,
          epsilonUpperBound: numberIn(LIMITS.epsilonSpent),
          looseBound,
          delta: measured,
          budget: measured,
          exhausted: z.boolean(),
          unit: z.literal('client'),
          adversary: z.string(),
        })
        .optional(),
    }),
  ),
  /** Clients that do not take part, with the newest reason: they declined the offer, or their terms were refused. */
  leftOut: z
    .array(
      z.strictObject({
        clientId: identifierSchema,
        name: z.string(),
        code: z.string(),
        message: z.string(),
        at: z.iso.datetime(),
      }),
    )
    .optional(),
  alerts: z.array(
    z.strictObject({
      code: z.string(),
      message: z.string(),
      at: z.string(),
      clientId: identifierSchema.optional(),
      /** The name of that client, which may take no part: one that was refused does not. */
      clientName: z.string().optional(),
    }),
  ),
  createdAt: z.iso.datetime().optional(),
  endedAt: z.iso.datetime().optional(),
  /** noised: the clip norms, per record and per client, with which the next round works, where they adapt. */
  clipNorm: measured.optional(),
  clientClipNorm: measured.optional(),
  /** How the factors of the newest state were made, where the coordinator that answers made them since it started. */
  refactorisation: z
    .strictObject({
      round: count,
      device: z.string().max(100),
      seconds: measured,
      /** Layers that the device could not do within its tolerances, and that were done without it. */
      fallbacks: count,
    })
    .optional(),
  /**
   * The round whose state was best, by accuracy: at the sites where the run evaluates at them, else on the hold-out. Of
   * equals the earliest. Absent where neither has measured one.
   */
  best: z.strictObject({ round: count, accuracy: measured, measuredBy: z.literal('sites').optional() }).optional(),
  /** SHA-256 of the newest published state. */
  adapter: z.string().optional(),
})
export type RunSnapshot = z.infer<typeof runSnapshotSchema>

/** Typed events of the `/operator` namespace. */
export interface OperatorEvents {
  run(snapshot: RunSnapshot): void
}
