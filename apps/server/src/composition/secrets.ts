import path from 'node:path'
import { makeFolder } from '@fedsvd/engine/files'
import type { CoordinatorConfig } from '../config.ts'
import { secretFile } from '../identity/index.ts'
import { SECRETS, type SecretLength } from '../secrets.ts'

export interface Secrets {
  readonly operatorToken: string
  readonly upload: string
  readonly statement: string
}

/** The secrets of a coordinator: those that are set, or those in its state folder, made when it first starts. */
export async function openSecrets(config: CoordinatorConfig): Promise<Secrets> {
  makeFolder(config.stateDir)
  const file = (name: string, length: SecretLength) => secretFile(path.join(config.stateDir, name), length)
  return {
    operatorToken: config.operatorToken ?? (await file('operator.token', SECRETS.operatorToken)),
    upload: config.uploadSecret ?? (await file('upload.secret', SECRETS.uploadSecret)),
    statement: config.statementKey ?? (await file('statement.key', SECRETS.statementKey)),
  }
}
