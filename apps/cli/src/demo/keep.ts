import { randomBytes } from 'node:crypto'
import { createOperator, createSignInLink, type OperatorAccess } from '../operator-client.ts'

export const KEEP_HINT = 'fedsvd demo --keep leaves the coordinator running, to be looked at in a browser.'

/** An address that signs its reader in once, as an admin of this demo. */
export async function signInLink(access: OperatorAccess): Promise<string> {
  const secret = randomBytes(32).toString('base64url') // not used: the demo prints a sign-in link
  const { id } = await createOperator(access, { name: 'demo', role: 'admin', secret })
  const { token } = await createSignInLink(access, id)
  return `${access.url}/#sign-in=${token}`
}

/** How to look at what a demo has left running. */
export async function lookText(url: string, link: string): Promise<string> {
  const isBuilt = (await fetch(url, { headers: { accept: 'text/html' } })).status !== 503
  return [
    `The coordinator goes on at ${url}`,
    `sign in, once, within 15 minutes: ${link}`,
    ...(isBuilt ? [] : ['Its dashboard is not built: npm run build makes it, and nothing has to be started again.']),
    'Ctrl+C ends it.',
  ].join('\n')
}
