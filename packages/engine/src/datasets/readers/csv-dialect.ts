/** How the fields of a table in a text file are told apart. */
export interface CsvDialect {
  readonly delimiter: string
  /** `double`: fields may stand in double quotes and then hold line ends (RFC 4180); `none`: a quote is a character. */
  readonly quoting: 'double' | 'none'
}
