import { describe, expect, it } from 'vitest'
import { oneThread } from './asked-thread.ts'

/** Answers a number with its double, and ends at the word. */
const PROGRAM = `
  import { parentPort } from 'node:worker_threads'
  let asked = 0
  parentPort.on('message', ({ id, kind, number }) => {
    asked += 1
    if (kind === 'exit') process.exit(7)
    if (kind === 'throw') throw new Error('out of hand')
    if (kind === 'fault') {
      parentPort.postMessage({ id, fault: { code: 'RUNTIME_UNAVAILABLE', expected: 'a', got: 'b', remedy: 'c' } })
    } else parentPort.postMessage({ id, value: { double: 2 * number, asked } })
  })
`
const thread = () => oneThread(new URL(`data:text/javascript,${encodeURIComponent(PROGRAM)}`), 'doubles')

describe('a thread that is asked', () => {
  it('answers each question with its own answer, and is one however often it is asked for', async () => {
    const doubles = thread()
    const answers = await Promise.all([1, 2, 3].map((number) => doubles().ask({ kind: 'double', number })))
    expect(answers).toEqual([1, 2, 3].map((number) => ({ double: 2 * number, asked: number })))
  })

  it('gives an error of the catalogue as one', async () => {
    await expect(thread()().ask({ kind: 'fault' })).rejects.toMatchObject({
      name: 'FedsvdError',
      code: 'RUNTIME_UNAVAILABLE',
      detail: { expected: 'a', got: 'b', remedy: 'c' },
    })
  })

  it.each([
    ['exit', /doubles has ended with exit code 7/],
    ['throw', /out of hand/],
  ])('that ends by %s answers nobody any more, and another one is started for the next', async (kind, reason) => {
    const doubles = thread()
    const ended = doubles()
    const lost = [ended.ask({ kind }), ended.ask({ kind: 'double', number: 1 })]
    for (const answer of lost) await expect(answer).rejects.toThrow(reason)
    await expect(ended.ask({ kind: 'double', number: 1 })).rejects.toThrow(reason)
    expect(await doubles().ask({ kind: 'double', number: 4 })).toEqual({ double: 8, asked: 1 })
  })

  it('is not asked what cannot be copied, and answers the next question', async () => {
    const doubles = thread()
    await expect(doubles().ask({ kind: 'double', number: () => 1 })).rejects.toThrow(/could not be cloned/)
    expect(await doubles().ask({ kind: 'double', number: 4 })).toMatchObject({ double: 8 })
  })
})
