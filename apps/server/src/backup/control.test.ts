import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { temporaryFolder } from '@fedsvd/testing/server'
import { describe, expect, it } from 'vitest'
import { askRunning } from './control.ts'

describe('the socket that a killed coordinator left behind', () => {
  it.each([
    ['rows of its own', (folder: string) => path.join(folder, 'backup-1-2-3.rows')],
    ['another file of the state folder', () => 'operator.token'],
    ['nothing', () => undefined],
  ])('is believed nothing where another process listens on it and answers with %s', async (_, fileIn) => {
    await using home = await temporaryFolder()
    await using elsewhere = await temporaryFolder()
    const socket = path.join(elsewhere.path, 'socket')
    await writeFile(path.join(elsewhere.path, 'backup-1-2-3.rows'), 'Operator\t[]\n')
    await writeFile(path.join(home.path, 'operator.token'), 'secret')
    await writeFile(path.join(home.path, 'control.json'), JSON.stringify({ socket }))
    const server = createServer((caller) => {
      caller.on('error', () => {})
      caller.write(`${JSON.stringify({ file: fileIn(elsewhere.path), dump: { objects: [] } })}\n`)
    })
    server.listen(socket)
    await once(server, 'listening')
    await expect(askRunning(home.path)).rejects.toThrow(/COORDINATOR_UNREACHABLE.*another process.*control\.json/)
    server.close()
  })
})
