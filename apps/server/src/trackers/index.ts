export { adapterArtifacts } from './adapter-artifacts.ts'
export { RunFollower } from './follow-runs.ts'
export { factsOf, type RunFacts } from './run-facts.ts'
export type { Tracker } from './tracker.ts'
