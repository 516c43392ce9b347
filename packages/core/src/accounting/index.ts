export type { AccountedEvent, PrivacyEvent } from './event.ts'
