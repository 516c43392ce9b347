import { FedsvdError } from '@fedsvd/core/errors'
import { identifierSchema, nearestName } from '@fedsvd/core/protocol'

interface Found {
  readonly id: string
  readonly name: string
}

const SHORTEST_PREFIX = 4

/**
 * Which of these a person means: the one with this identifier, else all whose name it is or whose identifier begins so.
 * Names are chosen by others (a site, a coordinator), so a name never takes the place of an identifier.
 *
 * @param shortest fewer characters are no beginning
 */
export function allNamed<T extends Found>(all: readonly T[], given: string, shortest = SHORTEST_PREFIX): readonly T[] {
  const begins = given.toLowerCase()
  const exact = all.filter(({ id }) => id === begins)
  if (exact.length > 0) return exact
  return all.filter(({ id, name }) => name === given || (given.length >= shortest && id.startsWith(begins)))
}

/**
 * The identifier of what a person names: by the identifier itself, by the beginning of it, or by its name.
 *
 * @param what such as "run" @param list asked for only where it is needed
 * @throws FedsvdError of this code where nothing or more than one is meant
 */
export async function findNamed(
  given: string,
  {
    what,
    code,
    list,
  }: {
    readonly what: string
    readonly code: 'RUN_NOT_FOUND' | 'CLIENT_NOT_FOUND'
    readonly list: () => Promise<readonly Found[]>
  },
): Promise<string> {
  const identifier = identifierSchema.safeParse(given)
  if (identifier.success) return identifier.data
  const all = await list()
  const found = allNamed(all, given)
  if (found.length === 1) return found[0]!.id
  const nearest = nearestName(
    given,
    all.map(({ name }) => name),
  )
  throw new FedsvdError(code, {
    expected: `the name of one ${what}, its identifier, or at least the first ${SHORTEST_PREFIX} characters of that`,
    got: found.length === 0 ? given : `${given}, which ${found.length} have: ${found.map(({ id }) => id).join(', ')}`,
    remedy:
      found.length === 0 && nearest !== undefined ? `Did you mean ${nearest}?` : `\`fedsvd ${what} list\` shows them.`,
  })
}
