export { fileOutbox, type Outbox } from './outbox.ts'
