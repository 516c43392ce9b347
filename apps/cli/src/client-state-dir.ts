import { defaultStateDir } from '@fedsvd/client'
import { Option } from 'commander'

/** The state folder of a client, for every command that reads it: as `fedsvd join` finds it. */
export function clientStateDir(description: string): Option {
  return new Option('--state-dir <folder>', description).env('FEDSVD_STATE_DIR').default(defaultStateDir())
}
