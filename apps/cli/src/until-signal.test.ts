import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { AT_ONCE } from './until-signal.ts'

const PROGRAM = `
  const { untilSignal } = await import('./until-signal.ts')
  const work = untilSignal(new Promise(() => {}), (reason) => console.log('told ' + reason))
  console.log('waits')
  await work
  if (process.env.HANGS) await new Promise((resolve) => setTimeout(resolve, 2 ** 30))
  console.log('closed in order')
`

/** A process that works for ever, once it does; it has a channel to this one. */
async function started(env = {}): Promise<{ child: ChildProcess; said: () => string }> {
  const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', PROGRAM]
  const child = spawn(process.execPath, args, {
    cwd: import.meta.dirname,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  let text = ''
  child.stdout!.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  await once(child.stdout!, 'data')
  return { child, said: () => text }
}

describe('a command that works until it is told to stop', () => {
  it.each([
    ['SIGTERM', (child: ChildProcess) => child.kill('SIGTERM')],
    ['SIGINT', (child: ChildProcess) => child.kill('SIGINT')],
    ['the end of who started it', (child: ChildProcess) => child.disconnect()],
  ])('closes in order at %s', { timeout: 60_000 }, async (_, stop) => {
    const { child, said } = await started()
    const closed = once(child, 'exit')
    stop(child)
    expect(await closed).toEqual([0, null])
    expect(said()).toMatch(/^waits\ntold (SIGTERM|SIGINT|disconnect)\nclosed in order\n$/)
  })

  it('ends at once at a second signal, with an exit code of its own', { timeout: 60_000 }, async () => {
    const { child, said } = await started({ HANGS: '1' })
    const closed = once(child, 'exit')
    const pressing = setInterval(() => child.kill('SIGINT'), 100)
    expect(await closed).toEqual([AT_ONCE, null])
    clearInterval(pressing)
    expect(said()).toBe('waits\ntold SIGINT\n')
  })
})
