import type { RecordSource } from '@fedsvd/engine/datasets'
import type { EncodedStores } from '../data/index.ts'

/** Records that were encoded once, for all simulated sites: a run opens those of one site. */
export function sharedStores(records: RecordSource): EncodedStores {
  return {
    prepare: async () => ({
      open: async () => ({
        ...records,
        leftOut: { count: 0, first: undefined, reasons: [] },
        close: () => {},
      }),
    }),
    prune: () => {},
  }
}
