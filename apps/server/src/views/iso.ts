/** Milliseconds since 1970 as the wire writes times. */
export function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
