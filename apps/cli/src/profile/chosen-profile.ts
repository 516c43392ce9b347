import { FedsvdError } from '@fedsvd/core/errors'
import { nearestName } from '@fedsvd/core/protocol'
import { type Profile, readProfiles } from './profiles-file.ts'

/** The profile that counts: the one that is named, or the current one; undefined where there is none. */
export function chosenProfile(name: string | undefined): Profile | undefined {
  const { current, profiles } = readProfiles()
  const wanted = name ?? current
  if (wanted === undefined) return undefined
  return Object.hasOwn(profiles, wanted) ? profiles[wanted] : unknownProfile(wanted, Object.keys(profiles))
}

/** @throws FedsvdError CONFIG_INVALID with what may have been meant */
export function unknownProfile(name: string, known: readonly string[]): never {
  const nearest = nearestName(name, known)
  throw new FedsvdError('CONFIG_INVALID', {
    expected: known.length === 0 ? 'the name of a profile; there is none yet' : `a profile among ${known.join(', ')}`,
    got: name,
    remedy:
      nearest === undefined ? 'Make it with `fedsvd profile set`, or name another one.' : `Did you mean ${nearest}?`,
  })
}
