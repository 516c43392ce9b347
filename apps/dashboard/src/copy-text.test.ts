import { expect, it, vi } from 'vitest'
import { copyText } from './copy-text.ts'

it.each([
  ['by the clipboard', { writeText: async () => {} }, false, true, 0],
  ['by selection where there is no clipboard, as over plain HTTP', undefined, true, true, 1],
  [
    'by selection where the clipboard is not permitted',
    { writeText: () => Promise.reject(new Error('no')) },
    true,
    true,
    1,
  ],
  ['not at all, and says so', undefined, false, false, 1],
])('a text is copied %s', async (_, clipboard, works, copied, times) => {
  const bySelection = vi.fn<(text: string) => boolean>(() => works)
  expect(await copyText('token', { clipboard, bySelection })).toBe(copied)
  expect(bySelection).toHaveBeenCalledTimes(times)
})
