import { FedsvdError } from '@fedsvd/core/errors'
import { identifierSchema, nearestName } from '@fedsvd/core/protocol'

interface Found {
  readonly id: string
  readonly name: string
}

const SHORTEST_PREFIX = 4

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
  const named = all.filter(({ name }) => name === given)
  const begun = given.length < SHORTEST_PREFIX ? [] : all.filter(({ id }) => id.startsWith(given.toLowerCase()))
  const found = named.length > 0 ? named : begun
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
