/**
 * Health check of both images: a coordinator has to answer /readyz, a client only to run. Plain JavaScript on
 * Node alone, as it is started every few seconds. Exits with 0 or 1.
 */
import { readFileSync } from 'node:fs'
import { request as http } from 'node:http'
import { request as https } from 'node:https'

const TIMEOUT_MS = 4000

/** The arguments of the container's first process, or those after `--` here. */
const given = process.argv.slice(2)
const args = given.length > 0 ? given : readFileSync('/proc/1/cmdline', 'utf8').split('\0')
if (args.includes('serve')) checkCoordinator()

function checkCoordinator() {
  const port = optionOf('--port') ?? process.env.FEDSVD_PORT ?? '7373'
  const isTls = (optionOf('--tls-cert') ?? process.env.FEDSVD_TLS_CERT) !== undefined
  // It asks its own machine whether it answers, not who it is: its certificate names another host.
  const options = { host: '127.0.0.1', port, path: '/readyz', timeout: TIMEOUT_MS, rejectUnauthorized: false }
  const asked = (isTls ? https : http)(options, (response) => process.exit(response.statusCode === 200 ? 0 : 1))
  asked.on('timeout', () => process.exit(1))
  // One that demands a certificate of callers has answered, by refusing.
  asked.on('error', ({ code }) => process.exit(String(code).startsWith('ERR_SSL') ? 0 : 1))
  asked.end()
}

function optionOf(name) {
  const at = args.findIndex((arg) => arg === name || arg.startsWith(`${name}=`))
  if (at === -1) return undefined
  return args[at].includes('=') ? args[at].slice(name.length + 1) : args[at + 1]
}
