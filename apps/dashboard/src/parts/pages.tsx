import { Pagination } from '@mantine/core'
import { type ReactNode, useState } from 'react'

/** Long lists a page at a time. */
export function Pages<T>(props: {
  readonly items: readonly T[]
  readonly size: number
  readonly label: string
  readonly children: (items: readonly T[]) => ReactNode
}) {
  const { items, size, label, children } = props
  const [page, setPage] = useState(1)
  const total = Math.max(1, Math.ceil(items.length / size))
  const shown = Math.min(page, total)
  return (
    <>
      {children(items.slice((shown - 1) * size, shown * size))}
      {total > 1 && (
        <Pagination
          mt="sm"
          size="sm"
          total={total}
          value={shown}
          onChange={setPage}
          aria-label={label}
          getControlProps={(control) => ({ 'aria-label': `${control} page of ${label}` })}
          getItemProps={(item) => ({ 'aria-label': `Page ${item} of ${label}` })}
        />
      )}
    </>
  )
}
