import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { completeConfig, settingsFromEnvironment, startCoordinator } from '../../apps/server/src/index.ts'
import { createMemoryStore } from '../../apps/server/src/storage/records/memory/index.ts'
import { PROTOCOL_VERSION } from '../../packages/core/src/protocol/index.ts'
import { SMALL_ORDER_KEYS } from '../../packages/testing/src/core/small-order-keys.ts'
import { call, temporaryFolder, testCoordinator } from '../../packages/testing/src/server/index.ts'

const NOT_KEYS = {
  'not reduced': Buffer.from(`f0${'ff'.repeat(30)}7f`, 'hex').toString('base64url'),
  'no point of the curve': Buffer.from(`02${'00'.repeat(31)}`, 'hex').toString('base64url'),
  'another spelling of 32 bytes': `${Buffer.alloc(32, 0x58).toString('base64url').slice(0, 42)}B`,
}

describe('a client that enrols', () => {
  it('is refused with a weak key, under which anybody can make a valid signature', async () => {
    await using coordinator = await testCoordinator()
    const keys = [
      ...SMALL_ORDER_KEYS.map((key) => Buffer.from(key, 'hex').toString('base64url')),
      ...Object.values(NOT_KEYS),
    ]
    for (const publicKey of keys) {
      const token = await coordinator.enrolment()
      const request = { protocolVersion: PROTOCOL_VERSION, token, name: 'a', publicKey }
      expect(await call(coordinator.url, 'POST /v1/enrol', {}, request)).toMatchObject({ code: 'SIGNATURE_INVALID' })
    }
  })
})

describe('a coordinator', () => {
  const secrets = ['operator.token', 'upload.secret', 'statement.key']
  const weak = {
    'is empty': '',
    'has a line break only': '\n',
    'is short': 'secret\n',
    'repeats itself': 'a'.repeat(43),
  }
  const start = (stateDir: string) =>
    startCoordinator({ port: 0, stateDir, logLevel: 'silent' }, { openStore: async () => createMemoryStore() })

  it.each(secrets)('does not start with a weak secret in %s', async (name) => {
    await using folder = await temporaryFolder()
    for (const content of Object.values(weak)) {
      await writeFile(path.join(folder.path, name), content)
      await expect(start(folder.path)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
      expect(await readFile(path.join(folder.path, name), 'utf8')).toBe(content)
    }
  })

  it('does not start with a weak secret in its settings', () => {
    for (const setting of ['operatorToken', 'uploadSecret', 'statementKey'] as const) {
      for (const content of ['', 'secret', 'a'.repeat(43), `${'0123456789'.repeat(4)}\n\u0000x`]) {
        expect(() => completeConfig({ [setting]: content })).toThrow('CONFIG_INVALID')
      }
    }
  })

  it('reads each secret from a file that its environment names', async () => {
    await using folder = await temporaryFolder()
    const file = path.join(folder.path, 'secret')
    await writeFile(file, `${'operator-token-of-a-test'}\n`)
    const environment = { FEDSVD_OPERATOR_TOKEN_FILE: file }
    const settings = completeConfig(settingsFromEnvironment(environment))
    expect(settings.operatorToken).toBe('operator-token-of-a-test')
    const both = { ...environment, FEDSVD_OPERATOR_TOKEN: 'operator-token-of-a-test' }
    expect(() => settingsFromEnvironment(both)).toThrow('CONFIG_INVALID')
    expect(() => settingsFromEnvironment({ FEDSVD_UPLOAD_SECRET_FILE: `${file}s` })).toThrow('CONFIG_INVALID')
    await writeFile(file, '')
    expect(() => completeConfig(settingsFromEnvironment(environment))).toThrow('CONFIG_INVALID')
  })

  it('takes a secret without the line break that files and editors put behind it', () => {
    const secret = 'Zm9yIGEgdGVzdCwgYW5kIGZvciBub3RoaW5nIGVsc2U'
    const settings = { operatorToken: `${secret}\n`, uploadSecret: `${secret}\r\n`, statementKey: ` ${secret}\n` }
    expect(completeConfig(settings)).toMatchObject({
      operatorToken: secret,
      uploadSecret: secret,
      statementKey: secret,
    })
  })
})
