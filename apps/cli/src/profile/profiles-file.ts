import { statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { writeFileDurably } from '@fedsvd/client/platform'
import { FedsvdError } from '@fedsvd/core/errors'
import { exposure } from '@fedsvd/engine/files'
import { stringify } from 'yaml'
import { z } from 'zod'
import { readConfigFile } from '../config-file/index.ts'

/** A coordinator and how an operator reaches it. */
const profileSchema = z.strictObject({
  /** Address of the coordinator. */
  coordinator: z.string().min(1).max(2000),
  /** Operator token, or the token of a session. */
  token: z
    .string()
    .regex(/^[\x21-\x7e]{1,1000}$/, 'expected a token: one line of ASCII characters')
    .optional(),
  /** PEM files of a TLS connection. */
  ca: z.string().min(1).optional(),
  cert: z.string().min(1).optional(),
  key: z.string().min(1).optional(),
})
export type Profile = z.infer<typeof profileSchema>

/** What a profile may be called: it stands on command lines. */
export const profileName = z
  .string()
  .regex(/^[\p{L}\p{N}][\p{L}\p{N}._-]{0,79}$/u, 'expected letters, digits, dots and dashes')

const profilesSchema = z.strictObject({
  /** Name of the profile that counts where none is named. */
  current: profileName.optional(),
  profiles: z.record(profileName, profileSchema).default({}),
})
export type Profiles = z.infer<typeof profilesSchema>

type Environment = Readonly<Partial<Record<'FEDSVD_HOME' | 'XDG_CONFIG_HOME' | 'APPDATA', string>>>

/** Where this user's profiles are: `$FEDSVD_HOME/profiles.yaml`, or in the system's folder for configuration. */
export function profilesPath(env: Environment = process.env, home = homedir()): string {
  const { FEDSVD_HOME, XDG_CONFIG_HOME, APPDATA } = env
  if (FEDSVD_HOME) return resolve(FEDSVD_HOME, 'profiles.yaml')
  const system = process.platform === 'win32' ? APPDATA : XDG_CONFIG_HOME
  return join(system || join(home, '.config'), 'fedsvd', 'profiles.yaml')
}

/**
 * The profiles of this user; none where there is no file.
 *
 * @throws FedsvdError CONFIG_INVALID for a file that others can read or that is another user's: it holds secrets
 */
export function readProfiles(path = profilesPath()): Profiles {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return { profiles: {} }
  const rights = exposure(path)
  if (rights !== undefined) throw exposed(path, `rights ${rights}, with which others can read it`, `chmod 600 ${path}`)
  const user = process.getuid?.()
  if (user !== undefined && user !== 0 && found.uid !== user) {
    throw exposed(path, `a file of the user ${found.uid}`, 'make it yours')
  }
  return readConfigFile(path, profilesSchema, 'file of profiles')
}

/** Replaces the file as a whole; its owner alone can read it. */
export function writeProfiles(profiles: Profiles, path = profilesPath()): void {
  const heading = '# Profiles of fedsvd, with secrets: keep this file to yourself. `fedsvd profile --help`\n'
  writeFileDurably(path, Buffer.from(heading + stringify(profilesSchema.parse(profiles))), 0o600)
}

function exposed(path: string, got: string, remedy: string): FedsvdError {
  return new FedsvdError('CONFIG_INVALID', {
    expected: `a file of profiles that you alone can read, ${path}`,
    got,
    remedy: `Run: ${remedy}. If somebody may have read it, change the tokens in it.`,
  })
}
