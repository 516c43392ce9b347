import type { BaseModel } from '@fedsvd/engine/training'

/** The encoder that comes with fedsvd. Its parts are loaded when they are first asked for. */
export const starterModel: BaseModel = {
  name: 'starter',
  maxTokens: 128,
  async adapterSchema({ task, adapter: { rank, alpha, headMode, targets }, classes }) {
    const { requireStarterTask } = await import('./engine-for.ts')
    const { starterSchema } = await import('./engine.ts')
    requireStarterTask(task)
    type Targets = NonNullable<Parameters<typeof starterSchema>[0]['targets']>
    // Names that are no targets are refused there.
    return starterSchema({ rank, alpha, headMode, classes, ...(targets && { targets: targets as unknown as Targets }) })
  },
  async loadTokenizer() {
    const { loadStarterTokenizer } = await import('./tokenizer/index.ts')
    return await loadStarterTokenizer()
  },
  async createEngine(request, runtime) {
    const { starterEngineFor } = await import('./engine-for.ts')
    return await starterEngineFor(request, runtime)
  },
  portable: {
    storesInputsFirst: true,
    async checkpoint() {
      const { loadStarterCheckpoint } = await import('./checkpoint/index.ts')
      return await loadStarterCheckpoint()
    },
    async classifier({ model, labels, adapter }, checkpoint) {
      const { starterClassifier } = await import('./engine.ts')
      return starterClassifier(adapter, { classes: labels.length, featureScale: model.featureScale, checkpoint })
    },
    async createEngine(request, runtime, checkpoint) {
      const { starterEngineFor } = await import('./engine-for.ts')
      return await starterEngineFor(request, runtime, checkpoint)
    },
    async tokenizer() {
      const { starterTokenizerFiles } = await import('./tokenizer/index.ts')
      return await starterTokenizerFiles()
    },
  },
}
