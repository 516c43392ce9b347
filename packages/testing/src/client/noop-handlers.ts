import type { LinkHandlers } from '@fedsvd/client/transport'

/** Handlers of a client that takes part in nothing and takes note of nothing, but for what is given. */
export function noopHandlers(given: Partial<LinkHandlers> = {}): LinkHandlers {
  const ignored = (): void => {}
  const declined = { accepted: false as const, error: { code: 'SITE_DECLINED', expected: '', got: '', remedy: '' } }
  return {
    onConnected: ignored,
    onDisconnected: ignored,
    onUnreachable: ignored,
    onRefused: ignored,
    onOffer: async () => declined,
    onInvitation: async () => declined,
    onRoundClosed: ignored,
    onRunPaused: ignored,
    onRunEnded: ignored,
    onNonsense: ignored,
    ...given,
  }
}
