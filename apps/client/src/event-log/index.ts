export { eventLog, type KeptEvent, type LoggedEvent, readEventLog } from './event-log.ts'
