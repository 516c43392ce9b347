/** Numbers as people read them. Bounds are rounded up: what is shown is never below what is true. */

/** An upper bound on epsilon as text, with its sign, rounded up to 3 digits after the point at most. */
export function epsilonBound(epsilon: number): string {
  if (!(epsilon < 1e6)) return '≤ ∞'
  const digits = epsilon >= 100 ? 1 : epsilon >= 10 ? 2 : 3
  const scale = 10 ** digits
  return `≤ ${(Math.ceil(epsilon * scale - 1e-9) / scale).toFixed(digits)}`
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}

/** Small probabilities such as delta, exactly as stated. */
export function small(value: number): string {
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential().replace('e-', 'e−') : String(value)
}

export function significant(value: number, digits = 4): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(digits))) : '∞'
}

export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = count
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`
  if (seconds < 120) return `${seconds.toFixed(1)} s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
  return `${(seconds / 3600).toFixed(1)} h`
}

export function dateTime(iso: string): string {
  const date = new Date(iso)
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** A time that reads the same for everybody, for what is handed out. */
export function utc(iso: string): string {
  return `${new Date(iso).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
