const LF = 0x0a
const CR = 0x0d

/**
 * Tells on which line a byte of a stream stands, whatever its line ends are: LF, CR LF, CR, or a mix. It keeps what
 * lies behind the position that was asked about last, and nothing before.
 */
export class LineIndex {
  #chunks: Buffer[] = []
  /** The offset of the first byte that is kept, and its line from 1. */
  #offset = 0
  #line = 1

  add(chunk: Buffer): void {
    this.#chunks.push(chunk)
  }

  /** The line of the first byte at or behind `offset` that is no line end. Offsets must not descend. */
  lineOf(offset: number): number {
    this.#forgetUntil(offset)
    let line = this.#line
    let previous = 0
    for (const chunk of this.#chunks) {
      for (const byte of chunk) {
        if (byte !== LF && byte !== CR) return line
        if (byte === CR || previous !== CR) line += 1
        previous = byte
      }
    }
    return line
  }

  #forgetUntil(offset: number): void {
    while (this.#chunks.length > 0 && this.#offset < offset) {
      const chunk = this.#chunks[0]!
      const passed = chunk.subarray(0, offset - this.#offset)
      // a CR LF that is passed in one go is one line; one that is cut in two is not counted twice
      for (let at = 0; at < passed.length; at++) {
        const next = at + 1 < passed.length ? passed[at + 1] : (chunk[passed.length] ?? this.#chunks[1]?.[0])
        if (passed[at] === LF || (passed[at] === CR && next !== LF)) this.#line += 1
      }
      this.#offset += passed.length
      if (passed.length === chunk.length) this.#chunks.shift()
      else this.#chunks[0] = chunk.subarray(passed.length)
    }
  }
}
