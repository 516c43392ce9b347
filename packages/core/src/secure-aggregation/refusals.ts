import { FedsvdError } from '../errors.ts'

/** What a party of the protocol answers to what it must not do. Nothing of an update decides whether it is thrown. */
export function refused(expected: string, got: string, remedy: string): FedsvdError {
  return new FedsvdError('SUM_REFUSED', { expected, got, remedy })
}

/** A sum that can no longer be opened; nothing of it was. */
export function aborted(expected: string, got: string, remedy: string): FedsvdError {
  return new FedsvdError('SUM_ABORTED', { expected, got, remedy })
}

/** A step of the protocol that was asked for before the one that it follows. */
export function outOfOrder(expected: string, got: string): FedsvdError {
  return refused(expected, got, 'Follow the order of messages; what was sent before may be sent again as it was.')
}
