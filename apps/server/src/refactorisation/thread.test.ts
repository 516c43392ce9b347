import { describe, expect, it } from 'vitest'
import { deviceLimitMs } from './choose-device.ts'
import { stepThread } from './thread.ts'

/** A thread that runs this text once it is ready; `question` is what it was asked. */
const threadOf = (body: string): URL =>
  new URL(
    `data:text/javascript,${encodeURIComponent(`
      import { parentPort } from 'node:worker_threads'
      parentPort.on('message', (question) => { ${body} })
      parentPort.postMessage('ready')
    `)}`,
  )

const question = { device: 'cpu', threads: 1 } as const

describe('the thread', () => {
  it.each([
    ['waits for what never comes', ''],
    ['is busy for good', 'for (;;);'],
  ])('that %s is given up, with all questions that wait for it', async (_, body) => {
    await using thread = stepThread([], threadOf(body))
    const [first, second] = [thread.ask(question, 50), thread.ask(question)]
    await expect(first).rejects.toThrow('the thread has ended: no answer within 0.05 s')
    await expect(second).rejects.toMatchObject({ name: 'ThreadEnded' })
  })

  it('may take its time for each question, and not for all of them together', async () => {
    const slowly = 'setTimeout(() => parentPort.postMessage({ id: question.id, result: undefined }), 300 * question.id)'
    await using thread = stepThread([], threadOf(`${slowly}`))
    // The third is answered 900 ms after it was asked, and 300 ms after the one before it.
    const answers = [1, 2, 3].map(() => thread.ask(question, 800))
    expect(await Promise.all(answers)).toEqual([undefined, undefined, undefined])
  })

  it('that ends by itself is distinguished from one that was stopped', async () => {
    await using thread = stepThread([], threadOf('process.exit(3)'))
    await expect(thread.ask(question)).rejects.toThrow('the thread has ended: its exit code was 3')
  })

  it('that has ended is followed by another one for the next question', async () => {
    const body =
      "question.device === 'cpu' ? process.exit(3) : parentPort.postMessage({ ...question, result: undefined })"
    await using thread = stepThread([], threadOf(body))
    await expect(thread.ask(question)).rejects.toMatchObject({ name: 'ThreadEnded' })
    expect(await thread.ask({ device: 'javascript', threads: 1 })).toBeUndefined()
  })

  it('that cannot even begin has ended', async () => {
    await using leaves = stepThread([], new URL('data:text/javascript,process.exit(4)'))
    await expect(leaves.ask(question)).rejects.toThrow('the thread has ended: its exit code was 4')
    await using fails = stepThread([], new URL('data:text/javascript,throw new Error("no library")'))
    await expect(fails.ask(question)).rejects.toThrow('the thread has ended: no library')
  })

  it('is not started again once it was told to end', async () => {
    const thread = stepThread([], threadOf(''))
    const waiting = thread.ask(question).catch((error: unknown) => error)
    await thread[Symbol.asyncDispose]()
    await thread[Symbol.asyncDispose]()
    expect(await waiting).toMatchObject({ message: 'the thread has ended: it was told to' })
    await expect(thread.ask(question)).rejects.toThrow('it was told to')
  })
})

describe('the time that a device is given', () => {
  it('is ten minutes, and more for large states', () => {
    const layers = [{ name: 'layer', dIn: 4096, dOut: 4096 }]
    const adapter = { rank: 64, alpha: 64, headMode: 'frozen', head: [], layers } as const
    expect([deviceLimitMs(), deviceLimitMs(adapter)]).toEqual([600_000, 604_000])
  })
})
