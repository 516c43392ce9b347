import { createServer } from 'node:net'
import { FedsvdError } from '@fedsvd/core/errors'
import type { CoordinatorConfig, NameOfSetting } from '../config.ts'

type Address = Pick<CoordinatorConfig, 'host' | 'port'>

/**
 * Refuses an address that cannot be listened at, before anything is made. @throws FedsvdError as {@link cannotListen}
 */
export async function requireFreeAddress({ host, port }: Address, nameOf: NameOfSetting): Promise<void> {
  const probe = createServer()
  await new Promise<void>((resolve, reject) => {
    probe.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(error, { host, port }, nameOf)))
    probe.listen(port, host, () => probe.close(() => resolve()))
  })
}

/** PORT_IN_USE, or CONFIG_INVALID for a host or a port that this process may not have. */
export function cannotListen(
  { code, message }: NodeJS.ErrnoException,
  { host, port }: Address,
  nameOf: NameOfSetting,
): FedsvdError {
  const names = `${nameOf('host')} or ${nameOf('port')}`
  if (code === 'EADDRINUSE') {
    return new FedsvdError('PORT_IN_USE', {
      expected: `${host}:${port} to be free`,
      got: 'another process that listens there',
      remedy: `Stop it, or choose another port with ${nameOf('port')} (0 takes a free one).`,
    })
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new FedsvdError('CONFIG_INVALID', {
      expected: `a port that this user may listen at, not ${host}:${port}`,
      got: 'permission denied',
      remedy: `Choose one from 1024 on with ${nameOf('port')}, and let a reverse proxy stand before it.`,
    })
  }
  const reasons: Readonly<Record<string, string>> = {
    EADDRNOTAVAIL: 'an address that this machine does not have',
    ENOTFOUND: 'a host name that does not resolve',
    EAI_AGAIN: 'a host that could not be looked up',
  }
  return new FedsvdError('CONFIG_INVALID', {
    expected: `an address to listen at, not ${host}:${port}`,
    got: reasons[code ?? ''] ?? message,
    remedy: `Correct ${names}; 0.0.0.0 listens at every address of this machine.`,
  })
}
