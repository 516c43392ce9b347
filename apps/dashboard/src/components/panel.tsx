import { Group, Paper, Title } from '@mantine/core'
import { type ReactNode, useId } from 'react'
import { type Kind, Tag } from './tag.tsx'

/** A part of a page with a heading; `kind` tags every number in it that has no tag of its own. */
export function Panel(props: {
  readonly title: string
  readonly kind?: Kind
  readonly aside?: ReactNode
  readonly children: ReactNode
}) {
  const { title, kind, aside, children } = props
  const id = useId()
  return (
    <Paper component="section" withBorder p="md" aria-labelledby={id}>
      <Group justify="space-between" mb="sm" gap="xs">
        <Group gap="xs">
          <Title order={2} id={id}>
            {title}
          </Title>
          {kind && <Tag kind={kind} />}
        </Group>
        {aside}
      </Group>
      {children}
    </Paper>
  )
}
