import { z } from 'zod'

/* What is read of MLflow's answers, which hold more. As protobuf's JSON has it, a list that is empty is absent. */

const whole = z.coerce.number().int()
const pairSchema = z.looseObject({ key: z.string(), value: z.string().default('') })

const runSchema = z.looseObject({
  info: z.looseObject({
    run_id: z.string().min(1).max(100),
    experiment_id: z.string(),
    status: z.string(),
    lifecycle_stage: z.string().default('active'),
    artifact_uri: z.string().default(''),
  }),
  data: z
    .looseObject({
      /** Of each metric the value of its last step. */
      metrics: z.array(z.looseObject({ key: z.string(), step: whole.default(0) })).default([]),
      params: z.array(pairSchema).default([]),
      tags: z.array(pairSchema).default([]),
    })
    .default({ metrics: [], params: [], tags: [] }),
})
export type MlflowRun = z.infer<typeof runSchema>

export const createdRunSchema = z.looseObject({ run: runSchema })
export const foundRunsSchema = z.looseObject({ runs: z.array(runSchema).default([]) })
export const createdExperimentSchema = z.looseObject({ experiment_id: z.string() })
export const experimentSchema = z.looseObject({
  experiment: z.looseObject({ experiment_id: z.string(), lifecycle_stage: z.string().default('active') }),
})
export const refusalSchema = z.looseObject({ error_code: z.string(), message: z.string().optional() })
