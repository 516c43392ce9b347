import { Button, Group, Text } from '@mantine/core'
import { useState } from 'react'
import { Failure } from './state.tsx'

/** Something that cannot be undone: asked for once, confirmed once. */
export function Confirm(props: {
  readonly label: string
  readonly question: string
  readonly yes: string
  readonly onYes: () => Promise<unknown>
}) {
  const { label, question, yes, onYes } = props
  const [isAsked, setAsked] = useState(false)
  const [isBusy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const act = async (): Promise<void> => {
    setBusy(true)
    setError(undefined)
    try {
      await onYes()
      setAsked(false)
    } catch (fault) {
      setError(fault)
    } finally {
      setBusy(false)
    }
  }
  return (
    <div>
      {isAsked ? (
        <Group gap="xs">
          <Text size="sm">{question}</Text>
          <Button size="xs" color="red.9" loading={isBusy} onClick={() => void act()}>
            {yes}
          </Button>
          <Button size="xs" variant="default" onClick={() => setAsked(false)}>
            Cancel
          </Button>
        </Group>
      ) : (
        <Button size="xs" variant="default" onClick={() => setAsked(true)}>
          {label}
        </Button>
      )}
      {error !== undefined && <Failure error={error} />}
    </div>
  )
}
