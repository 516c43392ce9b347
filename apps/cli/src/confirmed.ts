import { createInterface } from 'node:readline/promises'
import { FedsvdError } from '@fedsvd/core/errors'

/**
 * Asks at the terminal whether what cannot be undone is meant; `--yes` says so beforehand.
 *
 * @throws FedsvdError CONFIG_INVALID where the answer is no, or the input is no terminal; nothing has been done then
 */
export async function requireConfirmed(question: string, { yes }: { readonly yes?: boolean }): Promise<void> {
  if (yes) return
  const { stdin, stderr } = process
  if (stdin.isTTY) {
    const asked = createInterface({ input: stdin, output: stderr })
    try {
      if (/^y(es)?$/i.test((await asked.question(`${question} [y/N] `)).trim())) return
    } finally {
      asked.close()
    }
  }
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'a yes to what cannot be undone',
    got: stdin.isTTY ? 'another answer' : 'no terminal to ask at',
    remedy: 'Nothing was done; give --yes where it is meant.',
  })
}
