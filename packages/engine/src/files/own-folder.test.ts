import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { requireOwnFolder } from './own-folder.ts'

const folder = (): string => mkdtempSync(join(tmpdir(), 'own-folder-'))

it('refuses the state folder of the other one, before anything is written into it', () => {
  const coordinators = folder()
  writeFileSync(join(coordinators, 'operator.token'), 'x')
  expect(() => requireOwnFolder(coordinators, 'client')).toThrow(/CONFIG_INVALID.*that of a coordinator.*--state-dir/)
  const clients = folder()
  mkdirSync(join(clients, 'ledgers'))
  expect(() => requireOwnFolder(clients, 'coordinator')).toThrow(/CONFIG_INVALID.*that of a client/)
})

it('takes an empty folder, its own, none, and one that both have used before', () => {
  const both = folder()
  requireOwnFolder(both, 'client')
  mkdirSync(join(both, 'ledgers'))
  requireOwnFolder(both, 'client')
  writeFileSync(join(both, 'statement.key'), 'x')
  requireOwnFolder(both, 'client')
  requireOwnFolder(both, 'coordinator')
  requireOwnFolder(join(both, 'missing'), 'client')
})
