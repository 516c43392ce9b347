import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const EC_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']

/** PEM files of one authority and what it signed. */
export interface Certificates {
  readonly ca: string
  /** For 127.0.0.1 and localhost. */
  readonly server: { readonly cert: string; readonly key: string }
  readonly client: { readonly cert: string; readonly key: string }
}

/** Makes an authority in a folder, and has it sign a certificate of a server and one of a client. Needs openssl 3. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  const file = (name: string): string => path.join(folder, name)
  const [ca, caKey] = [file('ca.pem'), file('ca-key.pem')]
  await run('openssl', ['req', '-x509', ...EC_KEY, '-keyout', caKey, '-out', ca, '-subj', '/CN=test authority'])
  const sign = async (name: string, extension: string) => {
    const pair = { cert: file(`${name}.pem`), key: file(`${name}-key.pem`) }
    const from = ['-CA', ca, '-CAkey', caKey, '-keyout', pair.key, '-out', pair.cert, '-subj', `/CN=${name}`]
    const extensions = ['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', extension]
    await run('openssl', ['req', '-x509', ...EC_KEY, ...from, ...extensions])
    return pair
  }
  const server = await sign('server', 'subjectAltName=IP:127.0.0.1,DNS:localhost')
  return { ca, server, client: await sign('client', 'extendedKeyUsage=clientAuth') }
}

/** True where openssl is there to make certificates with; Node has nothing that could. */
export async function opensslAnswers(): Promise<boolean> {
  return await run('openssl', ['version']).then(
    ({ stdout }) => /^OpenSSL [3-9]/.test(stdout),
    () => false,
  )
}
