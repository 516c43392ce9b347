import { type Logger, pino } from 'pino'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** Structured logs on standard error: identifiers and figures, never payloads or tokens. */
export function createLog(level: LogLevel): Logger {
  return pino({ name: 'fedsvd-coordinator', level }, pino.destination({ dest: 2, sync: true }))
}
