/** Milliseconds since some moment, of the machine's clock that never jumps: the same in all threads of a process. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
