/**
 * Holds the Dockerfile against what a release needs: a base of a supported Node that is pinned by its digest, and both
 * images with a user that is not root, a health check and nothing of development. With `--pin` it asks Docker for the
 * digest of the tag and writes it down. Exits with 1 where something is missing.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const BASE = /^ARG NODE_IMAGE=(node:(\d+)[\w.-]*)(@sha256:[0-9a-f]{64})?$/m
/** The oldest release line that gets fixes: https://nodejs.org/en/about/previous-releases */
const OLDEST_NODE = 24

/** The targets that are released. */
export const IMAGES = ['coordinator', 'site']

/** What makes a target: its stage, after those that it is built from; undefined where there is no such stage. */
export function stagesOf(dockerfile, target) {
  const stages = dockerfile.split(/^(?=FROM )/m).slice(1)
  const named = stages.find((stage) => new RegExp(`^FROM \\S+ AS ${target}$`, 'm').test(stage))
  if (named === undefined) return undefined
  const [, from] = /^FROM (\S+)/.exec(named)
  return (stagesOf(dockerfile, from.replace(/\W/g, '\\$&')) ?? '') + named
}

/** What is missing in a Dockerfile, each as one line. */
export function faultsOf(dockerfile) {
  const [, tag, major, digest] = BASE.exec(dockerfile) ?? []
  const faults = []
  if (tag === undefined) faults.push('no line "ARG NODE_IMAGE=node:<version>..."')
  else if (Number(major) < OLDEST_NODE) faults.push(`${tag} is older than Node ${OLDEST_NODE}`)
  if (tag !== undefined && digest === undefined) faults.push(`${tag} is not pinned by a digest: run this with --pin`)
  for (const image of IMAGES) faults.push(...faultsOfImage(image, stagesOf(dockerfile, image)))
  return faults
}

function faultsOfImage(image, stages) {
  if (stages === undefined) return [`no stage "${image}"`]
  const faults = []
  const [, user = 'root'] = [...stages.matchAll(/^USER (\S+)$/gm)].at(-1) ?? []
  if (/^(root|0)\b/.test(user)) faults.push(`${image} runs as root`)
  if (!/^HEALTHCHECK (?!NONE)/m.test(stages)) faults.push(`${image} has no health check`)
  if (/npm (ci|install)\b(?!.*--omit=dev)/.test(stages)) faults.push(`${image} installs development dependencies`)
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
