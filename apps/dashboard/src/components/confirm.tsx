import { Button, Group, Text } from '@mantine/core'
import { useEffect, useId, useRef, useState } from 'react'
import { texts } from '../texts/index.ts'
import { Failure } from './state.tsx'

/** A button for what cannot be undone, and the question that comes before. */
export function Confirm(props: {
  readonly label: string
  readonly title: string
  readonly children?: string
  readonly yes: string
  readonly onYes: () => Promise<unknown>
}) {
  const { label, ...question } = props
  const [isAsked, setAsked] = useState(false)
  return (
    <>
      <Button size="xs" variant="default" onClick={() => setAsked(true)}>
        {label}
      </Button>
      {isAsked && <Question {...question} onClose={() => setAsked(false)} />}
    </>
  )
}

/**
 * A question in a dialog of the browser's own, which keeps the keyboard within itself, closes on Escape, and gives the
 * focus back to where it was; to the page, where that is gone with what was decided.
 */
export function Question(props: {
  readonly title: string
  readonly children?: string | undefined
  readonly yes: string
  readonly onYes: () => Promise<unknown>
  readonly onClose: () => void
}) {
  const { title, children, yes, onYes, onClose } = props
  const dialog = useRef<HTMLDialogElement>(null)
  const [isBusy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const id = useId()
  useEffect(() => {
    const opener = document.activeElement
    dialog.current?.showModal()
    return () => {
      const place = opener?.isConnected === true ? opener : document.getElementById('main')
      if (place instanceof HTMLElement) place.focus()
    }
  }, [])
  const act = async (): Promise<void> => {
    setBusy(true)
    setError(undefined)
    try {
      await onYes()
      onClose()
    } catch (fault) {
      setError(fault)
      setBusy(false)
    }
  }
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={id} onClose={onClose}>
      <Text fw={600} id={id}>
        {title}
      </Text>
      {children !== undefined && (
        <Text size="sm" mt="xs">
          {children}
        </Text>
      )}
      {error !== undefined && <Failure error={error} />}
      <Group mt="md" justify="end">
        <Button size="xs" variant="default" onClick={onClose}>
          {texts.actions.cancel}
        </Button>
        <Button size="xs" color="red.9" loading={isBusy} onClick={() => void act()}>
          {yes}
        </Button>
      </Group>
    </dialog>
  )
}
