import { FedsvdError } from '@fedsvd/core/errors'
import { type AdapterSchema, predictsTokens, TASKS, type Task } from '@fedsvd/core/lora'
import type { CheckpointIdentity, ModelList, RunManifest } from '@fedsvd/core/protocol'
import type { NamedTensor } from '@fedsvd/core/tensor'
import type { ModelReference } from '@fedsvd/engine/models'
import type { RuntimeSettings } from '@fedsvd/engine/settings'
import type { AdapterRequest, BaseModel } from '@fedsvd/engine/training'

export interface HeadRequest {
  readonly schema: AdapterSchema
  readonly labels: readonly string[]
  readonly featureScale?: number | undefined
}

/** A base model that runs can adapt: code of this release or of an extension, or a checkpoint of this coordinator. */
export interface Model extends Omit<BaseModel, 'createEngine'> {
  /** What the checkpoint must hold on every side; absent for a model that is code. */
  readonly checkpoint?: CheckpointIdentity
  /**
   * Runs a made-up record of a task through the checkpoint where this coordinator has all of it; absent for a model
   * that is code.
   *
   * @throws FedsvdError CHECKPOINT_INVALID for a checkpoint on which no run could train
   */
  prove?(task: Task | undefined): Promise<void>
  /** The head that the checkpoint was trained with, where it has one that fits and this coordinator has its tensors. */
  trainedHead?(request: HeadRequest): Promise<readonly NamedTensor[] | undefined>
  /** Computes with the model under the adapters of a run. */
  createEngine(manifest: RunManifest, runtime: RuntimeSettings): ReturnType<BaseModel['createEngine']>
}

export interface ModelRegistry {
  /**
   * @throws FedsvdError CONFIG_INVALID for a name that no model has, CHECKPOINT_INVALID for a checkpoint that is
   * another
   */
  open(reference: ModelReference): Promise<Model>
  /** What there is to choose from. Nothing is fetched, and no tensor is read. */
  list(): Promise<ModelList>
}

/** A registry of exactly these models, and of what `others` finds where it is given. */
export function registryOf(models: readonly Model[], others?: ModelRegistry): ModelRegistry {
  return {
    open: async (reference) => {
      const model = models.find(({ name }) => name === reference.name)
      if (model !== undefined) return model
      if (others !== undefined) return await others.open(reference)
      throw new FedsvdError('CONFIG_INVALID', {
        expected: `a model named ${models.map(({ name }) => name).join(' or ')}`,
        got: reference.name,
        remedy: 'Set model.name in the run request.',
      })
    },
    list: async () => {
      const known = await Promise.all(
        models.map(async ({ name, maxTokens, adapterSchema }) => {
          const tasks = await tasksOf(adapterSchema)
          return { name, maxTokens, tasks, isComplete: true }
        }),
      )
      const { models: found = [], unusable = [], hasHub = false } = (await others?.list()) ?? {}
      const isHidden = ({ name }: { readonly name: string }) => known.some((model) => model.name === name)
      return { models: [...known, ...found.filter((model) => !isHidden(model))], unusable, hasHub }
    },
  }
}

/** The tasks for which a model has adapters. */
export async function tasksOf(adapterSchema: (request: AdapterRequest) => Promise<AdapterSchema>): Promise<Task[]> {
  const adapter = { rank: 1, alpha: 1, headMode: 'trained' } as const
  const tasks = await Promise.all(
    TASKS.map(async (task) => {
      const classes = predictsTokens(task) ? 0 : 2
      return await adapterSchema({ task, adapter, classes }).then(
        () => [task],
        (error: unknown) => {
          if (error instanceof FedsvdError) return [] // it says that the model has no such task
          throw error
        },
      )
    }),
  )
  return tasks.flat()
}
