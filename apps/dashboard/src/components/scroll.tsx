import type { ReactNode } from 'react'

/** A table that scrolls by itself where the page is narrow, also by keyboard. */
export function Scroll({
  label,
  minWidth,
  children,
}: {
  readonly label: string
  readonly minWidth: number
  readonly children: ReactNode
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard
    // biome-ignore lint/a11y/useSemanticElements: it groups no fields of a form
    <div className="scroll" role="group" aria-label={label} tabIndex={0}>
      <table className="table" style={{ minWidth }} aria-label={label}>
        {children}
      </table>
    </div>
  )
}
