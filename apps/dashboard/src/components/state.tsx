import { isFedsvdError } from '@fedsvd/core/errors'
import { Button, Center, Loader, Text } from '@mantine/core'
import { type ReactNode, useDeferredValue } from 'react'
import { texts } from '../texts/index.ts'
import { Notice } from './notice.tsx'

export function Loading({ what }: { readonly what: string }) {
  return (
    <Center mih={120} role="status">
      <Loader size="sm" mr="sm" aria-hidden />
      <Text>Loading {what}</Text>
    </Center>
  )
}

export function Empty({ children }: { readonly children: ReactNode }) {
  return (
    <Text py="lg" className="muted">
      {children}
    </Text>
  )
}

/** A refusal or a fault in the words of the catalogue. */
export function Failure({
  error,
  onRetry,
}: {
  readonly error: unknown
  readonly onRetry?: (() => unknown) | undefined
}) {
  const isKnown = isFedsvdError(error)
  return (
    <Notice kind="fault" role="alert" title={isKnown ? titleOf(error.code) : 'Something went wrong'}>
      {isKnown ? `Expected ${error.detail.expected}; got ${error.detail.got}. ${error.detail.remedy}` : String(error)}
      {onRetry !== undefined && (
        <div>
          <Button mt="xs" size="xs" variant="default" onClick={() => void onRetry()}>
            {texts.actions.retry}
          </Button>
        </div>
      )}
    </Notice>
  )
}

function titleOf(code: string): string {
  return code.charAt(0) + code.slice(1).toLowerCase().replaceAll('_', ' ')
}

interface Answer<T> {
  readonly data: T | undefined
  readonly error: unknown
  /** Asks again. */
  readonly refetch?: (() => unknown) | undefined
}

/**
 * What was asked for, or why it is not there. Older data stay on the page while newer ones cannot be had, and while
 * these are made ready in slices between which the page answers.
 */
export function Loaded<T>(props: {
  readonly answer: Answer<T>
  readonly what: string
  readonly children: (data: T) => ReactNode
}) {
  const { answer, what, children } = props
  const data = useDeferredValue(answer.data)
  if (data !== undefined) return children(data)
  return answer.error ? <Failure error={answer.error} onRetry={answer.refetch} /> : <Loading what={what} />
}
