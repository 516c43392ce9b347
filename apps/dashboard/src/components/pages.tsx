import { Pagination } from '@mantine/core'
import { type ReactNode, useDeferredValue, useMemo, useState } from 'react'

/** Long lists a page at a time. The number of a page is marked at once; its rows follow in slices. */
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
  const first = size * (useDeferredValue(shown) - 1)
  const rows = useMemo(() => children(items.slice(first, first + size)), [children, items, first, size])
  return (
    <>
      {rows}
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
