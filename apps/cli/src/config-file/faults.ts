import { FedsvdError } from '@fedsvd/core/errors'

/** One fault of a configuration file. */
export interface ConfigFault {
  /** Position in the file, both counted from 1; absent where the fault is about the file as a whole. */
  readonly line?: number
  readonly column?: number
  /** Names of the keys down to the one at fault, with dots between them; empty for the whole file. */
  readonly path: string
  /** What stands there, and what may. */
  readonly message: string
}

/** A file with more faults than these is told the first of them. */
const MOST_SHOWN = 20

/** CONFIG_INVALID with every fault of a file: each on a line of its own for people, in a list for programs. */
export class ConfigFileError extends FedsvdError {
  readonly faults: readonly ConfigFault[]
  /** For people, with line breaks. */
  readonly text: string

  /** @param what the kind of file, such as "run configuration" @param faults one or more, in the order of the file */
  constructor(file: string, what: string, faults: readonly ConfigFault[], cause?: unknown) {
    const shown = faults.slice(0, MOST_SHOWN).map((fault) => faultLine(file, fault))
    const rest = faults.length - shown.length
    super(
      'CONFIG_INVALID',
      {
        expected: `a valid ${what} in ${file}`,
        got: [...shown, ...(rest > 0 ? [`and ${rest} more`] : [])].join('; '),
        remedy: `Correct ${faults.length === 1 ? 'it' : 'them'}.`,
      },
      cause === undefined ? undefined : { cause },
    )
    this.faults = faults
    const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`
    const heading = `CONFIG_INVALID: expected a valid ${what}, got ${count}. ${this.detail.remedy}`
    this.text = [heading, ...shown, ...(rest > 0 ? [`and ${rest} more`] : [])].join('\n')
  }

  override toJSON() {
    return { ...super.toJSON(), faults: this.faults }
  }
}

/** As compilers write them, so that editors and terminals jump there: `run.yaml:4:11: clipNorm: ...`. */
export function faultLine(file: string, { line, column, path, message }: ConfigFault): string {
  const place = line === undefined ? file : `${file}:${line}:${column}`
  return `${place}: ${path === '' ? '' : `${path}: `}${message}`
}
