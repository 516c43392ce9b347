import { acceptsStaleUpdates, planOf, type RunManifest, type RunPlan } from '@fedsvd/core/protocol'
import { type RunSettings, schemaHashOf } from '../rounds/index.ts'
import type { PlanRecord, RunStore } from '../storage/records/index.ts'

export interface ActiveSettingsParts {
  readonly manifest: RunManifest
  readonly runs: Pick<RunStore, 'plans'>
  readonly onChange: () => void
}

/** The manifest of a run, which stays, and its plan, which operators may change. */
export class ActiveSettings implements RunSettings {
  readonly manifest: RunManifest
  readonly schemaHash: string
  readonly acceptsStaleUpdates: boolean
  readonly #parts: ActiveSettingsParts
  #plan: RunPlan

  constructor(parts: ActiveSettingsParts) {
    const { manifest } = parts
    this.#parts = parts
    this.manifest = manifest
    this.schemaHash = schemaHashOf(manifest.adapter)
    this.acceptsStaleUpdates = acceptsStaleUpdates(manifest)
    this.#plan = planOf(manifest)
  }

  get plan(): RunPlan {
    return this.#plan
  }

  /** The plan as it is stored: another coordinator may have changed it. */
  async latestPlan(): Promise<RunPlan> {
    const { runs } = this.#parts
    this.#plan = planOf(this.manifest, (await runs.plans(this.manifest.runId)).at(-1))
    return this.#plan
  }

  /** The plan was changed; a round that waits to be selected goes by the new one. */
  planChanged(plan: PlanRecord): void {
    this.#plan = planOf(this.manifest, plan)
    this.#parts.onChange()
  }
}
