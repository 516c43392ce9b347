import type { RunManifest, RunRequest } from '@fedsvd/core/protocol'

/**
 * The request that would open the same run once more: what the coordinator decided is left to it again, except the
 * layers and the checkpoint, which stay those of the run.
 */
export function requestOf({ adapter, ...manifest }: RunManifest): RunRequest {
  const { rank, alpha, headMode, layers } = adapter
  const { runId: _runId, ...terms } = manifest
  return { ...terms, adapter: { rank, alpha, headMode, targets: layers.map(({ name }) => name) } }
}
