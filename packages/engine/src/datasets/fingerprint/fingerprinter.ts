import { DigestSorter } from './digest-sorter.ts'
import { type Content, fingerprintOfDigests, recordDigest } from './fingerprint.ts'

/**
 * Computes the fingerprint of a data set while it streams by: the same as `fingerprintRecords`, in memory that does not
 * depend on the number of records. A large data set writes its digests, sorted, to a file in `folder` that vanishes
 * with the process.
 */
export class Fingerprinter implements Disposable {
  readonly #sorter: DigestSorter
  #records = 0

  /** @param digestsInMemory 32 bytes each; the default takes 4 MiB */
  constructor(folder: string, digestsInMemory?: number) {
    this.#sorter = new DigestSorter(folder, digestsInMemory)
  }

  get records(): number {
    return this.#records
  }

  add(record: Content): void {
    this.#sorter.add(recordDigest(record))
    this.#records += 1
  }

  /** The fingerprint of everything that was added; call it once. */
  finish(): string {
    return fingerprintOfDigests(this.#records, this.#sorter.sorted())
  }

  [Symbol.dispose](): void {
    this.#sorter[Symbol.dispose]()
  }
}
