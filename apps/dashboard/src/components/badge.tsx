import type { ReactNode } from 'react'

/** A word on the state of something. */
export function StateWord({ kind, children }: { readonly kind: 'on' | 'off' | 'fault'; readonly children: ReactNode }) {
  return <span className={`state-word state-${kind}`}>{children}</span>
}
