export { fileOutbox, type Outbox, requireReserved } from './outbox.ts'
