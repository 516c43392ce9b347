import type { KeepStates } from '@fedsvd/core/protocol'
import type { RandomSource } from '@fedsvd/core/random'
import { osRandomness } from '@fedsvd/engine/crypto'
import type { ModelRegistry } from '../models/index.ts'
import { type RunOwnership, singleNodeOwnership } from '../ownership/index.ts'
import { CentralLedger, ClientCaps } from '../privacy/index.ts'
import { exactRefactoriser, type Refactoriser } from '../refactorisation/index.ts'
import type { ActiveRun } from './active-run.ts'
import { ClientReports } from './client-reports.ts'
import { RunCommands } from './commands.ts'
import { ConnectedClients } from './connected-clients.ts'
import { UpdateIntake } from './intake.ts'
import { RunRegistry } from './registry.ts'
import { AlertDesk } from './run-alerts.ts'
import type { RunParts } from './run-parts.ts'

export interface RunsParts extends Omit<RunParts, 'central' | 'caps' | 'alerts' | 'noiseSource' | 'refactoriser'> {
  /** Makes the state that follows a round; by default in this thread, without a device. */
  readonly refactoriser?: Refactoriser
  readonly models: ModelRegistry
  /** Which states of a run stay where its request says nothing; default: all. */
  readonly keepStates?: KeepStates
  /** Randomness for one draw of the coordinator's own noise; the operating system's unless a test says otherwise. */
  readonly noiseSource?: () => RandomSource
  /** How it shares runs with other coordinators; by default there are none. */
  readonly ownership?: RunOwnership
}

/** The runs of a coordinator, by what is done with them. */
export interface Runs extends AsyncDisposable {
  readonly registry: RunRegistry
  readonly commands: RunCommands
  readonly intake: UpdateIntake
  readonly reports: ClientReports
  readonly connectedClients: ConnectedClients
  /** Those that are under way here, by identifier. */
  readonly active: ReadonlyMap<string, ActiveRun>
  readonly caps: ClientCaps
  readonly central: CentralLedger
}

export function createRuns(given: RunsParts): Runs {
  const { store, bounds, clock, log, metrics, ownership = singleNodeOwnership(given.store) } = given
  const now = (): number => clock.now()
  const active = new Map<string, ActiveRun>()
  const central = new CentralLedger({ store: ownership.store.ledger, bounds, now })
  const alerts = new AlertDesk({ store: store.alerts, log, metrics, now })
  const caps = new ClientCaps({
    clients: store.clients,
    ledger: store.ledger,
    bounds,
    runs: () => Array.from(active.values(), ({ budgets }) => budgets),
  })
  const connectedClients = new ConnectedClients({ ...given, activeRuns: () => active.values() })
  const parts = {
    noiseSource: () => osRandomness,
    refactoriser: exactRefactoriser(),
    keepStates: 'all',
    ...given,
    central,
    caps,
    alerts,
    active,
    ownership,
    connectedClients,
  }
  const registry = new RunRegistry(parts)
  return {
    registry,
    commands: new RunCommands({ ...parts, registry }),
    intake: new UpdateIntake({ ...parts, registry }),
    reports: new ClientReports({ ...parts, registry }),
    connectedClients,
    active,
    caps,
    central,
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  }
}
