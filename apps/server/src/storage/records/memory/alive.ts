/** False of a row that is not there, or has expired. */
export const isAlive = (row: { readonly expiresAt: number } | undefined): boolean =>
  row !== undefined && row.expiresAt > performance.now()
