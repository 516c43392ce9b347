import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { FedsvdError, systemFault } from '@fedsvd/core/errors'
import { atFile } from '@fedsvd/engine/files'
import { writeFileDurably } from '../platform/index.ts'

/** The variables of the environment that decide where the data owner's key is. */
export type OwnerEnvironment = Readonly<Partial<Record<'FEDSVD_OWNER_KEY' | 'FEDSVD_HOME' | 'XDG_CONFIG_HOME', string>>>

/** Where the data owner's key is unless told otherwise: outside the state folder, which the client can write to. */
export function defaultOwnerKey(env: OwnerEnvironment = process.env, home = homedir()): string {
  if (env.FEDSVD_OWNER_KEY) return env.FEDSVD_OWNER_KEY
  const folder = env.FEDSVD_HOME
    ? resolve(env.FEDSVD_HOME, 'owner')
    : join(env.XDG_CONFIG_HOME || join(home, '.config'), 'fedsvd')
  return join(folder, 'owner-key.pem')
}

/** Makes the data owner's key, readable by its owner only. @throws FedsvdError CONFIG_INVALID where there is one */
export function makeOwnerKey(path: string): KeyObject {
  if (existsSync(path)) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `no key in ${path} yet`,
      got: 'a file that exists',
      remedy: 'Ledgers know the data owner by its first key, so a key is never replaced. Use it, or name another file.',
    })
  }
  const { privateKey } = generateKeyPairSync('ed25519')
  writeFileDurably(path, Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' })))
  return privateKey
}

/** @throws FedsvdError CONFIG_INVALID unless the file holds an Ed25519 key */
export function readOwnerKey(path: string): KeyObject {
  try {
    const key = createPrivateKey(atFile(path, () => readFileSync(path)))
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch (cause) {
    // told below: no file, or no key
    if (existsSync(path) && systemFault(cause) !== undefined) throw cause
  }
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `the data owner's Ed25519 key in ${path}`,
    got: existsSync(path) ? 'a file without an Ed25519 key' : 'no such file',
    remedy: 'Name its file with --key, or make one with fedsvd owner init.',
  })
}
