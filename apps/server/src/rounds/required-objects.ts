import { FedsvdError, isFedsvdError, roundNumber } from '@fedsvd/core/errors'
import type { RoundContext } from './context.ts'
import { deliveredTasks } from './progress.ts'

/**
 * Looks whether the store of tensors still has what the round needs: the state that it starts from, and the updates
 * that it has accepted. Without them clients that are invited would fetch nothing and stay silent, and the round would
 * miss its quorum for ever.
 *
 * @throws FedsvdError OBJECT_MISSING naming all that are gone or damaged, STORAGE_UNAVAILABLE
 */
export async function requireObjects({ run, round, journal, base }: RoundContext<'storage'>): Promise<void> {
  const { progress } = journal
  const updates = progress === undefined ? [] : deliveredTasks(progress).map(({ update }) => update.sha256)
  const late = progress?.late?.map(({ sha256 }) => sha256) ?? []
  const missing: string[] = []
  for (const sha256 of new Set([base.sha256, ...updates, ...late])) {
    await run.storage.blobs.read(sha256).catch((error: unknown) => {
      if (!isFedsvdError(error, 'BLOB_NOT_FOUND') && !isFedsvdError(error, 'FRAME_CHECKSUM')) throw error
      missing.push(sha256)
    })
  }
  if (missing.length === 0) return
  throw new FedsvdError('OBJECT_MISSING', {
    expected: `every stored object that round ${roundNumber(round)} needs`,
    got: `${missing.length} gone or damaged: ${missing.join(', ')}`,
    remedy: 'Restore the store of tensors from its backup, and resume the run.',
  })
}
