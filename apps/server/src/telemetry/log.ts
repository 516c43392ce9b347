import { type DestinationStream, type Logger, pino } from 'pino'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** Fields that no line needs. Nothing logs them; if something ever does, they are not shown. */
const SECRET = [
  'token',
  'secret',
  'uploadToken',
  'sessionToken',
  'operatorToken',
  'authorization',
  'cookie',
  'signature',
]
const paths = SECRET.flatMap((name) => [name, `*.${name}`, `*.*.${name}`])

/** Structured logs on standard error: identifiers and figures, never payloads or tokens. */
export function createLog(
  level: LogLevel,
  destination: DestinationStream = pino.destination({ dest: 2, sync: true }),
): Logger {
  return pino({ name: 'fedsvd-coordinator', level, redact: { paths, censor: '(withheld)' } }, destination)
}
