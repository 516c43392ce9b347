import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { canonicalSchema } from '@fedsvd/core/lora'
import { resolveManifest } from '@fedsvd/core/protocol'
import { decodeState } from '../rounds/index.ts'
import type { BlobStore } from '../storage/objects/index.ts'
import type { AdapterStore } from '../storage/records/index.ts'
import type { ArtifactsOf } from './mlflow/artifacts.ts'
import { TrackerRefused } from './tracker.ts'

/** The newest state of a run as a PEFT adapter, in the folder `adapter`. */
export function adapterArtifacts(adapters: AdapterStore, blobs: BlobStore): ArtifactsOf {
  return async ({ runId, manifest }) => {
    const newest = await adapters.newest(runId)
    if (newest === undefined) throw new TrackerRefused('its states are gone')
    const { sha256, basis, number } = newest
    const files = async (): Promise<ReadonlyMap<string, Uint8Array>> => {
      const { adapter: schema, labels, model } = manifest
      const schemaHash = createHash('sha256').update(canonicalSchema(schema)).digest('hex')
      const state = decodeState(manifest, schemaHash, basis, await blobs.read(sha256))
      const { writeAdapter } = await import('@fedsvd/engine/weights/peft')
      const folder = await mkdtemp(path.join(tmpdir(), 'fedsvd-adapter-'))
      try {
        const {
          task,
          model: { featureScale },
        } = resolveManifest(manifest)
        const metadata = { runId, rounds: String(number) }
        const description = { task, schema, baseModel: model.name, labels, featureScale, metadata }
        const written = await writeAdapter(folder, state, description)
        const named = written.map(async (file) => {
          const name = path.relative(folder, file).split(path.sep).join('/')
          return [`adapter/${name}`, await readFile(file)] as const
        })
        return new Map(await Promise.all(named))
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    }
    return { sha256, files }
  }
}
