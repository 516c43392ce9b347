import { FedsvdError } from '@fedsvd/core/errors'
import { MantineProvider } from '@mantine/core'
import { renderToStaticMarkup } from 'react-dom/server'
import { expect, it } from 'vitest'
import { Loaded } from './state.tsx'

const error = new FedsvdError('COORDINATOR_UNREACHABLE', { expected: 'an answer', got: 'none', remedy: 'Wait.' })
const shown = (answer: Parameters<typeof Loaded<string>>[0]['answer']): string =>
  renderToStaticMarkup(
    <MantineProvider>
      <Loaded answer={answer} what="the runs">
        {(text) => text}
      </Loaded>
    </MantineProvider>,
  ).replace(/<style.*?<\/style>/gs, '')

it('a read that has failed can be tried again', () => {
  expect(shown({ data: undefined, error, refetch: () => {} })).toMatch(
    /Expected an answer; got none.*<button.*Try again/s,
  )
  expect(shown({ data: undefined, error })).not.toContain('<button')
})

it('older data stay where newer ones cannot be had', () => {
  expect(shown({ data: 'before', error, refetch: () => {} })).toBe('before')
})
