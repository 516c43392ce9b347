/** Takes rows of one table, as the text of a JSON array. */
export type WriteRows = (table: string, rows: string) => Promise<void>

/** What a dump of the database consists of, beside the rows themselves. */
export interface DatabaseDump {
  /** The migrations that make its schema, in their order. */
  readonly migrations: readonly { readonly name: string; readonly checksum: string }[]
  readonly tables: readonly { readonly name: string; readonly rows: number }[]
  readonly sequences: readonly { readonly name: string; readonly value: number }[]
  /** Names of the stored objects that its rows need. */
  readonly objects: readonly string[]
}
