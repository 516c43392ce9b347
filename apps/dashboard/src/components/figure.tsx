import type { ReactNode } from 'react'
import { type Kind, Tag } from './tag.tsx'

/** One number with its name, and with its tag where it has one. */
export function Figure(props: {
  readonly label: string
  readonly kind?: Kind
  readonly children: ReactNode
  readonly note?: ReactNode
}) {
  const { label, kind, children, note } = props
  return (
    <div className="figure">
      <div className="figure-label muted">
        {label} {kind && <Tag kind={kind} />}
      </div>
      <div className="figure-value">{children}</div>
      {note !== undefined && <div className="figure-label muted">{note}</div>}
    </div>
  )
}
