/**
 * What a number may tell about somebody's records, where that is not nothing: no more than its noise allows, or too
 * much. Public figures, which most are, have no tag, so that these are seen.
 */
export type Kind = 'noised' | 'NOT PRIVATE'

const MEANING: Readonly<Record<Kind, string>> = {
  noised: 'Computed from updates that were noised at the sites, and covered by their ledgers',
  'NOT PRIVATE': 'Not covered by any privacy guarantee',
}

export function Tag({ kind }: { readonly kind: Kind }) {
  return (
    <span className={`tag ${kind === 'noised' ? 'tag-noised' : 'tag-not-private'}`} title={MEANING[kind]}>
      {kind}
    </span>
  )
}
