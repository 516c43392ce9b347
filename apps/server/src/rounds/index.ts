export { announce } from './announce.ts'
export { invite, inviteStraggler } from './assign.ts'
export { chargePrivacy } from './charge-privacy.ts'
export {
  type BusyClients,
  type ClientGateway,
  type FailedClients,
  type PayingClients,
  type ReadyClients,
  type RoundContext,
  type RunContext,
  type RunMechanism,
  type RunMessages,
  type RunMilestones,
  RunOver,
  type RunSettings,
  type RunStorage,
  type RunTime,
} from './context.ts'
export { decodeState, encodeState, schemaHashOf } from './frames.ts'
export { RoundJournal } from './journal.ts'
export { checkAdmissible, deliveredTasks, openTasks, type RoundEvent, reduceRound } from './progress.ts'
export { type ReceivedUpdate, type ReceivingRound, receiveUpdate, requireFresh, type UpdatePlace } from './receive.ts'
export { runRound } from './round.ts'
export { roundSpans } from './round-spans.ts'
export { earliestCounted, earliestFor } from './staleness.ts'
