/** A point in time: whole seconds since 1970 in UTC, and nanoseconds behind them. */
export interface Instant {
  readonly seconds: number
  readonly nanoseconds: number
}

const MOST_SECONDS = 8.64e12

/** Date, time of day, fraction and zone as writers of CSV and JSON spell them. */
const SPELLED =
  /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:(?: ?(?:Z|UTC))|([+-])(\d\d)(?::?(\d\d))?)?$/

/** The instant that a text spells; one without a zone counts as UTC. Undefined for any other text. */
export function spelledInstant(text: string): Instant | undefined {
  const found = SPELLED.exec(text)
  if (found === null) return undefined
  const [, date, time, second = '00', fraction = '', sign, hours = '0', minutes = '0'] = found
  const local = `${date}T${time}:${second}`
  const milliseconds = Date.parse(`${local}Z`)
  // a day or an hour that the calendar does not have is a text
  if (Number.isNaN(milliseconds) || !new Date(milliseconds).toISOString().startsWith(local)) return undefined
  const offset = (sign === '-' ? -60 : 60) * (60 * Number(hours) + Number(minutes))
  return { seconds: milliseconds / 1000 - offset, nanoseconds: Number(fraction.padEnd(9, '0')) }
}

/** The instant so many nanoseconds after 1970 began. */
export function instantOf(nanoseconds: bigint): Instant {
  const rest = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  return { seconds: Number((nanoseconds - rest) / 1_000_000_000n), nanoseconds: Number(rest) }
}

/**
 * In UTC with as many digits as it has, in threes: `2024-01-31T12:00:00.000Z`, `…00.123456Z`; at midnight the date
 * alone. Undefined beyond the years that a date can have, where some writers have their infinities.
 */
export function instantText({ seconds, nanoseconds }: Instant): string | undefined {
  if (Math.abs(seconds) > MOST_SECONDS) return undefined
  const whole = new Date(seconds * 1000).toISOString()
  if (nanoseconds === 0 && whole.endsWith('T00:00:00.000Z')) return whole.slice(0, -14)
  const digits = String(nanoseconds)
    .padStart(9, '0')
    .replace(/(?:000){1,2}$/, '')
  return `${whole.slice(0, -4)}${digits}Z`
}
