const DIGITS = 4

/** A number with four significant digits, for tables; whole numbers as they are. */
export function significant(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(DIGITS)))
}

/** An upper bound with four significant digits: rounded up, so that it stays one. */
export function upperBound(value: number): string {
  if (Number.isInteger(value) || !Number.isFinite(value)) return String(value)
  const rounded = Number(value.toPrecision(DIGITS))
  if (rounded >= value) return String(rounded)
  const unit = 10 ** (Math.floor(Math.log10(value)) - DIGITS + 1)
  return String(Number((rounded + unit).toPrecision(DIGITS)))
}
