export { Approvals } from './approvals.ts'
export { type ApprovalsFolder, approvalsFolder } from './approvals-folder.ts'
export { type Decision, decide, decisionOn } from './decision.ts'
export { type PendingRun, pendingRunSchema } from './pending-run.ts'
