import type { Model } from './registry.ts'

/** The encoder that comes with fedsvd. The engine is loaded when it is first asked for. */
export const starterModel: Model = {
  name: 'starter',
  maxTokens: 128,
  async adapterSchema({ task, adapter: { rank, alpha, headMode, targets }, classes }) {
    const { requireStarterTask, starterSchema } = await import('@fedsvd/engine/training')
    requireStarterTask(task)
    type Targets = NonNullable<Parameters<typeof starterSchema>[0]['targets']>
    // Names that are no targets are refused there.
    return starterSchema({ rank, alpha, headMode, classes, ...(targets && { targets: targets as unknown as Targets }) })
  },
  async loadTokenizer() {
    const { loadStarterTokenizer } = await import('@fedsvd/engine/tokenizers')
    return await loadStarterTokenizer()
  },
  async createEngine(manifest, runtime) {
    const { starterEngineFor } = await import('@fedsvd/engine/training')
    return await starterEngineFor(manifest, runtime)
  },
}
