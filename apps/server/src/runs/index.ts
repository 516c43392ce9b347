export { ActiveRun } from './active-run.ts'
export { planOf } from './plan.ts'
export { shownAlerts } from './run-alerts.ts'
export { RunManager, type RunManagerParts } from './run-manager.ts'
