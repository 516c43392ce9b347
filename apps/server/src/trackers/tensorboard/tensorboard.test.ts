import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { temporaryFolder } from '@fedsvd/testing/server/temporary-folder'
import { trackedRun } from '@fedsvd/testing/server/tracked-run'
import { describe, expect, it } from 'vitest'
import { crc32c, encodeRecord } from './record.ts'
import { tensorboardTracker } from './tracker.ts'

const text = (value: string): Uint8Array => Buffer.from(value)
const signal = new AbortController().signal

/*
 * A reader of its own, from the format's description: checksums bit by bit, messages by their wire types alone.
 */
function slowCrc(bytes: Uint8Array): number {
  let crc = 0xffffffffn
  for (const byte of bytes) {
    crc ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit += 1) crc = crc % 2n === 1n ? (crc / 2n) ^ 0x82f63b78n : crc / 2n
  }
  const plain = crc ^ 0xffffffffn
  return Number(((((plain >> 15n) | (plain << 17n)) % 2n ** 32n) + 0xa282ead8n) % 2n ** 32n)
}

type Fields = Map<number, (Buffer | number)[]>

function fieldsOf(message: Buffer): Fields {
  const fields: Fields = new Map()
  let at = 0
  const varint = (): number => {
    let [value, shift] = [0, 1]
    for (;;) {
      const byte = message[at++]!
      value += (byte % 128) * shift
      shift *= 128
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const tag = varint()
    const [number, type] = [Math.floor(tag / 8), tag % 8]
    const size = type === 1 ? 8 : type === 5 ? 4 : type === 2 ? varint() : 0
    const value = type === 0 ? varint() : message.subarray(at, at + size)
    at += size
    fields.set(number, [...(fields.get(number) ?? []), value])
  }
  return fields
}

async function eventsIn(file: string): Promise<Fields[]> {
  const bytes = await readFile(file)
  const events: Fields[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at)
    expect(bytes.readUInt32LE(at + 8)).toBe(slowCrc(bytes.subarray(at, at + 8)))
    const data = bytes.subarray(at + 12, at + 12 + length)
    expect(bytes.readUInt32LE(at + 12 + length)).toBe(slowCrc(data))
    events.push(fieldsOf(data))
    at += 16 + length
  }
  return events
}

/** The scalars of a folder: [tag, step, value, seconds]. */
async function scalarsIn(folder: string): Promise<[string, number, number, number][]> {
  const found: [string, number, number, number][] = []
  for (const name of (await readdir(folder)).filter((file) => file.includes('tfevents')).toSorted()) {
    for (const fields of await eventsIn(path.join(folder, name))) {
      const summary = fields.get(5)?.[0] as Buffer | undefined
      const value = summary && fieldsOf(fieldsOf(summary).get(1)![0] as Buffer)
      const simple = value?.get(2)?.[0] as Buffer | undefined
      if (simple === undefined) continue
      const seconds = (fields.get(1)![0] as Buffer).readDoubleLE()
      found.push([String(value!.get(1)![0]), Number(fields.get(2)![0]), simple.readFloatLE(), seconds])
    }
  }
  return found
}

describe('records of event files', () => {
  it('have the checksum of RFC 3720, appendix B.4', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43)
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index))).toBe(0x46dd794e)
    expect(crc32c(text('123456789'))).toBe(0xe3069283)
  })

  it('begin as every file of TensorFlow does, whose first record has 24 bytes', () => {
    const begin = Buffer.from(encodeRecord(new Uint8Array(24))).subarray(0, 12)
    expect(begin.toString('hex')).toBe('1800000000000000a37f4b22')
  })
})

describe('the event files of a run', () => {
  it('hold each figure once, at the number and the time of its round, however often it is told and restarted', async () => {
    await using folder = await temporaryFolder()
    let now = 1_700_000_000_000
    const start = () => tensorboardTracker({ folder: folder.path, namesSites: true, now: () => (now += 10) })
    const { facts, publish } = trackedRun({ name: '../spam & ham/..' })
    publish({ accuracy: 0.5, loss: 0.75 })
    const first = start()
    await first.bring(facts(), signal)
    await first.bring(facts(), signal)
    publish({ accuracy: 0.625, loss: 0.5 })
    await first.bring(facts(), signal)
    await start().bring(facts(), signal) // restarted, with nothing new
    const [name] = await readdir(folder.path)
    expect(name).toMatch(/^spam-ham-[0-9a-f-]{36}$/)
    const own = path.join(folder.path, name!)
    expect(await readdir(own)).toHaveLength(1)
    publish({ accuracy: 0.75, loss: 0.25 })
    await start().bring(facts(), signal)
    expect((await readdir(own)).toSorted()).toEqual([
      'events.out.tfevents.1700000000.fedsvd',
      'events.out.tfevents.1700000001.fedsvd',
    ])
    const scalars = await scalarsIn(own)
    expect(scalars.filter(([tag]) => tag === 'accuracy')).toEqual([
      ['accuracy', 1, 0.5, 61],
      ['accuracy', 2, 0.625, 121],
      ['accuracy', 3, 0.75, 181],
    ])
    expect(scalars.filter(([tag]) => tag === 'epsilon/north').map(([, , value]) => value)).toEqual([1, 2, 3])
    expect(scalars.filter(([tag]) => tag === 'epsilon_highest').map(([, , value]) => value)).toEqual([2, 4, 6])
    expect(new Set(scalars.map(([tag, step]) => `${tag} ${step}`)).size).toBe(scalars.length)
    const [version, parameters] = await eventsIn(path.join(own, 'events.out.tfevents.1700000000.fedsvd'))
    expect(String(version!.get(3)![0])).toBe('brain.Event:2')
    expect(String(parameters!.get(5)![0])).toContain('| target.epsilon | 8 |')
  })

  it('go on behind a file that was cut in the middle of a record', async () => {
    await using folder = await temporaryFolder()
    const start = () => tensorboardTracker({ folder: folder.path, namesSites: false, now: () => 1_700_000_000_000 })
    const { facts, publish } = trackedRun()
    publish({ accuracy: 0.5, loss: 0.75 })
    await start().bring(facts(), signal)
    const own = path.join(folder.path, (await readdir(folder.path))[0]!)
    const file = path.join(own, (await readdir(own))[0]!)
    const whole = await readFile(file)
    await writeFile(file, whole.subarray(0, whole.length - 5)) // the last figure, epsilon_highest, is not whole
    await appendFile(path.join(own, 'notes.txt'), 'somebody else’s')
    await start().bring(facts(), signal)
    await writeFile(file, whole.subarray(0, 0))
    const again = await scalarsIn(own)
    expect(again.map(([tag]) => tag)).toEqual(['epsilon_highest'])
  })
})
