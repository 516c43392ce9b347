/**
 * Holds the Dockerfile against what a release needs: a base of a supported Node that is pinned by its digest, and a
 * user that is not root. With `--pin` it asks Docker for the digest of the tag and writes it down. Exits with 1 where
 * something is missing.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const BASE = /^ARG NODE_IMAGE=(node:(\d+)[\w.-]*)(@sha256:[0-9a-f]{64})?$/m
/** The oldest release line that gets fixes: https://nodejs.org/en/about/previous-releases */
const OLDEST_NODE = 24

/** What is missing in a Dockerfile, each as one line. */
export function faultsOf(dockerfile) {
  const [, tag, major, digest] = BASE.exec(dockerfile) ?? []
  const faults = []
  if (tag === undefined) faults.push('no line "ARG NODE_IMAGE=node:<version>..."')
  else if (Number(major) < OLDEST_NODE) faults.push(`${tag} is older than Node ${OLDEST_NODE}`)
  if (tag !== undefined && digest === undefined) faults.push(`${tag} is not pinned by a digest: run this with --pin`)
  const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '))
  if (!/^USER (?!root|0\b)\S+$/m.test(last)) faults.push('the last stage runs as root')
  if (!/^HEALTHCHECK (?!NONE)/m.test(last)) faults.push('the last stage has no health check')
  if (/npm (ci|install)\b(?!.*--omit=dev)/.test(last)) faults.push('the last stage installs development dependencies')
  return faults
}

/** The Dockerfile with the base pinned to a digest. */
export function pinned(dockerfile, digest) {
  return dockerfile.replace(BASE, (_, tag) => `ARG NODE_IMAGE=${tag}@${digest}`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = new URL('../Dockerfile', import.meta.url)
  if (process.argv.includes('--pin')) {
    const dockerfile = readFileSync(file, 'utf8')
    const tag = BASE.exec(dockerfile)[1]
    const inspect = ['buildx', 'imagetools', 'inspect', tag, '--format', '{{.Manifest.Digest}}']
    writeFileSync(file, pinned(dockerfile, execFileSync('docker', inspect, { encoding: 'utf8' }).trim()))
  }
  const faults = faultsOf(readFileSync(file, 'utf8'))
  for (const fault of faults) console.error(fault)
  process.exitCode = faults.length === 0 ? 0 : 1
}
