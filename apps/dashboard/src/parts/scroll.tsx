import { Table } from '@mantine/core'
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
    <section aria-label={label} style={{ overflowX: 'auto' }}>
      <Table miw={minWidth} verticalSpacing={6} aria-label={label}>
        {children}
      </Table>
    </section>
  )
}
