import { Title } from '@mantine/core'
import { useEffect } from 'react'

/** The heading of a page, which is also what its tab and its history entry are called. */
export function PageTitle({ children }: { readonly children: string }) {
  useEffect(() => {
    document.title = `${children} · fedsvd`
  }, [children])
  return <Title order={1}>{children}</Title>
}
