/**
 * What a number may tell about somebody's records: nothing, as it is public; no more than its noise allows; or too
 * much.
 */
export type Kind = 'public' | 'noised' | 'NOT PRIVATE'

const MEANING: Readonly<Record<Kind, string>> = {
  public: 'Computed from public constants or public data only',
  noised: 'Computed from updates that were noised at the clients, and covered by their ledgers',
  'NOT PRIVATE': 'Not covered by any privacy guarantee',
}

export function Tag({ kind }: { readonly kind: Kind }) {
  const style = kind === 'public' ? '' : kind === 'noised' ? ' tag-noised' : ' tag-not-private'
  return (
    <span className={`tag${style}`} title={MEANING[kind]}>
      {kind}
    </span>
  )
}
