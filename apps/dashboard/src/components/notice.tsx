import type { ReactNode } from 'react'

/** Something to be seen before the rest: told apart by its words and its edge, not by colour alone. */
export function Notice(props: {
  readonly kind: 'info' | 'warning' | 'fault'
  readonly title: ReactNode
  readonly children?: ReactNode
  /** `alert` is read out at once, `status` when there is time; absent for what stood there from the beginning. */
  readonly role?: 'alert' | 'status'
}) {
  const { kind, title, children, role } = props
  return (
    <div className={`notice notice-${kind}`} role={role}>
      <div className="notice-title">{title}</div>
      {children !== undefined && <div className="notice-body">{children}</div>}
    </div>
  )
}
