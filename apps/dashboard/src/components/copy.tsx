import { Button, Text } from '@mantine/core'
import { useState } from 'react'
import { clipboards, copyText } from '../copy-text.ts'
import { texts } from '../texts/index.ts'

/** Copies a text, and says whether it did. */
export function Copy({ text }: { readonly text: string }) {
  const [outcome, setOutcome] = useState<'copied' | 'failed'>()
  const copy = async (): Promise<void> => setOutcome((await copyText(text, clipboards())) ? 'copied' : 'failed')
  return (
    <>
      <Button size="xs" onClick={() => void copy()}>
        {outcome === 'copied' ? texts.actions.copied : texts.actions.copy}
      </Button>
      {outcome === 'failed' && (
        <Text size="sm" className="fault" role="alert">
          {texts.actions.copyFailed}
        </Text>
      )}
    </>
  )
}
