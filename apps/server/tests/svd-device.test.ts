import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { type AdapterState, canonicalSchema } from '../../../packages/core/src/lora/index.ts'
import {
  decodeState,
  type RunManifest,
  type RunSnapshot,
  readFrameBasis,
} from '../../../packages/core/src/protocol/index.ts'
import { webGpuHere } from '../../../packages/testing/src/engine/tfjs/webgpu-here.ts'
import {
  enrolClients,
  expectedState,
  get,
  hexSha256,
  placeEmbeddedDatabase,
  post,
  sha256,
  temporaryFolder,
  tinyModels,
  tinyRequest,
  until,
} from '../../../packages/testing/src/server/index.ts'
import { startCoordinator } from '../src/index.ts'
import type { Refactoriser } from '../src/refactorisation/index.ts'
import { createLog } from '../src/telemetry/index.ts'

const missing = await webGpuHere()

/**
 * Of the entries of B A, beside the largest of them: a float32 device after three rounds, each within its tolerance.
 */
const TOLERANCE = 1e-5

function products({ a, b }: AdapterState): number[] {
  return a.flatMap(({ data, shape: [rank, dIn] }, index) => {
    const [rows] = b[index]!.shape as [number]
    return Array.from({ length: rows * dIn! }, (_, at) => {
      const [row, column] = [Math.floor(at / dIn!), at % dIn!]
      let sum = 0
      for (let inner = 0; inner < rank!; inner += 1) {
        sum += b[index]!.data[row * rank! + inner]! * data[inner * dIn! + column]!
      }
      return sum
    })
  })
}

describe.each([
  ['onnxruntime-cpu', 'cpu', undefined],
  ['tfjs-wasm', 'tfjs-wasm', undefined],
  ['tfjs-webgpu', 'tfjs-webgpu', missing],
] as const)('a whole run whose factors are made on %s', (name, svdDevice, lacks) => {
  it.skipIf(lacks)(
    `ends in the model of the exact route, and operators see the device${lacks ? ` (skipped: ${lacks})` : ''}`,
    { timeout: 180_000 },
    async () => {
      await using folder = await temporaryFolder()
      await placeEmbeddedDatabase(folder.path)
      const settings = { port: 0, stateDir: folder.path, gatherSeconds: 60, svdDevice } as const
      const lines: string[] = []
      const stream = new Writable({
        write: (chunk, _, done) => {
          lines.push(String(chunk))
          done()
        },
      })
      const log = createLog('info', stream)
      await using coordinator = await startCoordinator(settings, { models: tinyModels, log })
      const { url, operatorToken } = coordinator
      const clients = await enrolClients(url, operatorToken, 3)
      const { runId, adapter } = await post<RunManifest>(url, '/v1/runs', tinyRequest(), operatorToken)
      await Promise.all(clients.map((client) => client.connect()))
      const devices = new Set<string | undefined>()
      const snapshot = await until('the end of the run', async () => {
        const seen = await get<RunSnapshot>(url, `/v1/runs/${runId}`, operatorToken)
        if (seen.refactorisation) devices.add(seen.refactorisation.device)
        return seen.state === 'completed' && seen
      })
      const answer = await fetch(`${url}/v1/runs/${runId}/adapter`, {
        headers: { authorization: `Bearer ${operatorToken}` },
      })
      const frame = new Uint8Array(await answer.arrayBuffer())
      const schemaHash = hexSha256(Buffer.from(canonicalSchema(adapter)))
      const state = decodeState({ runId, schemaHash, adapter, basis: readFrameBasis(frame) }, frame, sha256)
      const [found, expected] = [products(state), products(expectedState(snapshot, clients))]
      const largest = Math.max(...expected.map(Math.abs))
      expect(state.basis).toBe(3)
      for (const [at, value] of found.entries()) {
        expect(Math.abs(value - expected[at]!)).toBeLessThanOrEqual(TOLERANCE * largest)
      }
      const metrics = await (
        await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${operatorToken}` } })
      ).text()
      expect(metrics).toContain(`fedsvd_refactorisation_seconds_count{device="${name}"} 3`)
      expect(metrics).toContain('fedsvd_refactorisation_fallback_layers_total 0')
      expect([...devices]).toEqual([name])
      expect(snapshot.refactorisation).toMatchObject({ round: 2, device: name, fallbacks: 0 })
      const logged = lines.flatMap((chunk) => chunk.trim().split('\n')).map((line) => JSON.parse(line))
      const made = logged.filter(({ msg }) => msg === 'state re-factorised')
      expect(made).toHaveLength(3)
      for (const { device, seconds } of made) expect([device, seconds > 0]).toEqual([name, true])
      for (const client of clients) client.disconnect()
    },
  )
})

it('a coordinator that is stopped does not wait for a device that never answers', { timeout: 60_000 }, async () => {
  await using folder = await temporaryFolder()
  await placeEmbeddedDatabase(folder.path)
  let end: ((reason: Error) => void) | undefined
  const refactoriser: Refactoriser = {
    step: () =>
      new Promise((_, reject) => {
        end = reject
      }),
    [Symbol.asyncDispose]: async () => end?.(new Error('it was told to end')),
  }
  const settings = { port: 0, stateDir: folder.path, gatherSeconds: 60, graceSeconds: 0.2 } as const
  const coordinator = await startCoordinator(settings, { models: tinyModels, refactoriser, log: createLog('error') })
  const { url, operatorToken } = coordinator
  const clients = await enrolClients(url, operatorToken, 3)
  await post<RunManifest>(url, '/v1/runs', tinyRequest(), operatorToken)
  await Promise.all(clients.map((client) => client.connect()))
  await until('the step', () => end !== undefined)
  await coordinator[Symbol.asyncDispose]()
  for (const client of clients) client.disconnect()
})
