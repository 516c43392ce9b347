import type { AdapterState } from '@fedsvd/core/lora'
import type { Invitation, RunManifest } from '@fedsvd/core/protocol'
import type { RandomSource } from '@fedsvd/core/random'
import type { RecordSource } from '@fedsvd/engine/datasets'
import type { PrivateEngine } from '@fedsvd/engine/training'
import type { BoundRun, PrivacyLedger } from '../ledger/index.ts'
import type { Outbox } from '../outbox/index.ts'
import type { AwaitableValue } from '../platform/index.ts'
import type { ReleaseGrid, Work } from '../release/index.ts'
import type { StepSnapshots } from '../step-snapshots/index.ts'
import type { CoordinatorLink, Moment } from '../transport/index.ts'
import type { WhenDiskHasRoom } from './disk-room.ts'
import type { SimulatedRandomness } from './simulated-randomness.ts'

/** Everything that one round at one client needs. */
export interface RoundParts {
  readonly clientId: string
  readonly manifest: RunManifest
  readonly invitation: Invitation
  /** The newest upload token: a coordinator that came back may have issued another. */
  readonly uploadToken: AwaitableValue<string>
  /** When it came, in milliseconds of the clock of releases. */
  tokenCameAt?(): number
  /** There while the run is not paused. */
  readonly resumeGate: AwaitableValue<true>
  readonly run: BoundRun
  readonly link: CoordinatorLink
  /** Of the conversation about this round. */
  readonly moment?: Moment | undefined
  readonly ledger: PrivacyLedger
  readonly outbox: Outbox
  readonly snapshots: StepSnapshots
  readonly engine: PrivateEngine
  /** The site's records as the run takes them: they may still be in the making, which takes as long as they are. */
  records(): Promise<RecordSource & { readonly setAside?: RecordSource | undefined }>
  readonly release: ReleaseGrid
  /** Waits for room on the disk, for the site's state is kept there. */
  readonly whenDiskHasRoom: WhenDiskHasRoom
  /** Begins a step's computing, when no engine is timed. */
  work(signal: AbortSignal): Promise<Work>
  readonly source: RandomSource
  readonly lotSource?: RandomSource | undefined
  /** In place of both, of a simulated site: reproducible, and NOT PRIVATE. */
  readonly simulated?: SimulatedRandomness | undefined
  /** Aborted when the round is closed; what was reserved stays spent. */
  readonly signal: AbortSignal
  /** Looks at the published state before anything is paid for. @throws FedsvdError POLICY_REFUSED */
  accept?(state: AdapterState): void
  /** Tells the coordinator what the ledger holds now. @throws FedsvdError LEDGER_MISMATCH */
  report(): Promise<void>
  /** The budget of the units set aside does not pay for this round's evaluation. */
  onNotEvaluated(): void
  /** The budget pays for `steps` of the `of` steps that the run's rounds have. */
  onShortened(round: { steps: number; of: number }): void
  /** An interrupted round resumes after step `step`. */
  onResumed(progress: { step: number; steps: number }): void
  /** Local progress, for this site's own eyes. */
  onPart(progress: { step: number; steps: number; done: number; of: number }): void
  /** Records of a lot were left out because the engine failed on them. */
  onLotFault(fault: { step: number; steps: number; error: unknown }): void
  /** `leftOut`: records of the lot that the model cannot take, or whose gradient is not finite. */
  onStep(progress: { step: number; steps: number; records: number; leftOut: number; seconds: number }): void
}
