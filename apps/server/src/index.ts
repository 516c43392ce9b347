export {
  type BackupProgress,
  type BackupReport,
  type RestoreReport,
  restoreBackup,
  takeBackup,
} from './backup/index.ts'
export {
  type CoordinatorConfig,
  type CoordinatorSettings,
  completeConfig,
  type NameOfSetting,
  settingsFromEnvironment,
} from './config.ts'
export type { Evaluator, EvaluatorFactory } from './evaluation/index.ts'
export { type Model, type ModelRegistry, registryOf } from './models/index.ts'
export { type Clock, systemClock } from './platform/index.ts'
export { type Coordinator, type CoordinatorParts, startCoordinator } from './server.ts'
export type { Baseline, Evaluation } from './storage/records/index.ts'
