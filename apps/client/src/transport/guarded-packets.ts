/**
 * Takes a packet of Engine.IO, which ends its connection at most. The library parses the packet that opens a connection
 * wherever it comes and whatever it holds; what it throws would end the process, so that a coordinator could end a
 * site's whenever it likes.
 *
 * @param afterMs how long it is kept before
 */
export function takePacket(
  take: () => void,
  onError: (reason: string, cause: unknown) => unknown,
  afterMs: number,
): void {
  if (afterMs > 0) {
    setTimeout(() => takePacket(take, onError, 0), afterMs)
    return
  }
  try {
    take()
  } catch (error) {
    onError('a packet that Engine.IO does not take', error)
  }
}
