import { FedsvdError } from '@fedsvd/core/errors'
import type { CheckpointIdentity, ModelList, ModelView } from '@fedsvd/core/protocol'
import type { ModelReference, ModelSettings, ModelStore, StoredModel } from '@fedsvd/engine/models'
import { type Model, type ModelRegistry, tasksOf } from './registry.ts'

/**
 * The checkpoints of this coordinator's model folder, and of a hub where one is set. The engine is loaded when the
 * first is asked for.
 *
 * A run needs the checkpoint's config.json here, which the adapters and the head follow from. Tensors and tokenizer are
 * needed for evaluation only: a coordinator without them takes the checkpoint's identity from the request.
 */
export function checkpointModels(settings: ModelSettings): ModelRegistry {
  let opened: Promise<ModelStore> | undefined
  const store = async (): Promise<ModelStore> => {
    opened ??= import('@fedsvd/engine/models').then(({ modelStore }) => modelStore(settings))
    return await opened
  }
  return {
    open: async (reference) => await checkpointModel(await store(), reference),
    list: async () => ({ ...(await listOf(await store())), hasHub: settings.hub !== undefined }),
  }
}

/** From each config.json alone. */
async function listOf(store: ModelStore): Promise<Pick<ModelList, 'models' | 'unusable'>> {
  const { checkpointSchema, longestText } = await import('@fedsvd/engine/training')
  const [models, unusable]: [ModelView[], ModelList['unusable']] = [[], []]
  for (const name of await store.names()) {
    try {
      const { config, modelType, isComplete } = await store.open({ name }, 'config')
      const tasks = await tasksOf(async ({ task, adapter: { rank, alpha, headMode }, classes }) =>
        checkpointSchema(config, { task, rank, alpha, headMode, classes }),
      )
      models.push({ name, modelType, maxTokens: longestText(config), tasks, isComplete })
    } catch (error) {
      if (!(error instanceof FedsvdError)) throw error
      unusable.push({ name, reason: `expected ${error.detail.expected}, got ${error.detail.got}` })
    }
  }
  return { models, unusable }
}

async function checkpointModel(store: ModelStore, reference: ModelReference): Promise<Model> {
  const { checkpointSchema, engineFor, longestText, tokenizerFor } = await import('@fedsvd/engine/training')
  const stored = await store.open(reference, 'config')
  return {
    name: stored.name,
    checkpoint: await identityOf(stored, reference),
    maxTokens: longestText(stored.config),
    adapterSchema: async ({ task, adapter: { rank, alpha, headMode, targets }, classes }) =>
      checkpointSchema(stored.config, { task, rank, alpha, headMode, targets, classes }),
    prove: async (task) => {
      if (!stored.isComplete) return
      const { proveCheckpoint } = await import('@fedsvd/engine/training')
      await proveCheckpoint(stored, task)
    },
    trainedHead: async (request) => {
      if (!stored.isComplete) return undefined
      const { checkpointHead } = await import('@fedsvd/engine/models')
      return await checkpointHead(stored, request)
    },
    loadTokenizer: () => tokenizerFor(reference, store),
    createEngine: (manifest, runtime) => engineFor(manifest, runtime, store),
  }
}

/** What the checkpoint holds: found here, or given in the run request. @throws FedsvdError CONFIG_INVALID */
async function identityOf(stored: StoredModel, { checkpoint }: ModelReference): Promise<CheckpointIdentity> {
  if (stored.isComplete) return await stored.identity()
  if (checkpoint !== undefined) return checkpoint
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'model.checkpoint in the run request, since this coordinator has config.json of the model only',
    got: 'a request without model.checkpoint',
    remedy:
      'Run `fedsvd model show` where the whole checkpoint is and copy what it prints, or copy the checkpoint here.',
  })
}
