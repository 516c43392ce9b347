import { FedsvdError } from '@fedsvd/core/errors'
import type { RunManifest } from '@fedsvd/core/protocol'
import type { NamedTensor } from '@fedsvd/core/tensor'
import type { SvdDevice } from '@fedsvd/engine/settings'
import { chosenDevice, deviceLimitMs, isSmallStep } from './choose-device.ts'
import { sharedCopy } from './shared-copy.ts'
import { computeStep, JAVASCRIPT, type StepResult } from './step.ts'
import { stepThread, ThreadEnded } from './thread.ts'

/** The published state of a run, and what the updates of its round come to. */
export interface RoundStep {
  readonly manifest: Pick<RunManifest, 'runId' | 'method' | 'adapter'>
  /** Hex SHA-256 of the canonical adapter schema. */
  readonly schemaHash: string
  readonly basis: number
  /** The frame of the state; it is only read. */
  readonly frame: Uint8Array
  readonly mean: readonly NamedTensor[]
}

/** Makes the next state of a run. */
export interface Refactoriser extends AsyncDisposable {
  step(round: RoundStep): Promise<StepResult>
}

/** Steps by the exact route where they are asked for: for tests, and for a coordinator without a thread. */
export function exactRefactoriser(): Refactoriser {
  return {
    step: ({ manifest, schemaHash, basis, frame, mean }) =>
      computeStep({ ...publicPart(manifest), schemaHash, basis, frame, mean: joined(mean) }),
    [Symbol.asyncDispose]: async () => {},
  }
}

/**
 * Steps in a thread of their own, so that the event loop never waits for one; those that take a few milliseconds are
 * made where they are asked for, unless a device is named. A thread that ends on the way, or that never answers, is
 * replaced once, without a device.
 *
 * @throws FedsvdError RUNTIME_UNAVAILABLE at once where a device that is named cannot be used
 */
export async function openRefactoriser(settings: {
  readonly svdDevice: SvdDevice
  readonly threads: number
  /** Files of the extensions that this process has loaded. */
  readonly extension?: readonly string[]
}): Promise<Refactoriser> {
  const { svdDevice, threads, extension } = settings
  const exact = exactRefactoriser()
  const thread = stepThread(extension)
  if (svdDevice !== 'auto' && svdDevice !== JAVASCRIPT) {
    try {
      await thread.ask({ device: svdDevice, threads }, deviceLimitMs())
    } catch (error) {
      await thread[Symbol.asyncDispose]()
      throw error instanceof ThreadEnded ? unavailable(svdDevice, error) : error
    }
  }
  return {
    async step(round) {
      const { manifest, schemaHash, basis } = round
      const device = chosenDevice(svdDevice, manifest.adapter)
      if (device === JAVASCRIPT && isSmallStep(manifest.adapter)) return await exact.step(round)
      const frame = await sharedCopy([round.frame])
      const mean = await sharedCopy(round.mean.map(bytesOf))
      const input = { ...publicPart(manifest), schemaHash, basis, frame, mean: floatsOf(mean) }
      try {
        return (await thread.ask({ device, threads, input }, limitOf(device, manifest.adapter)))!
      } catch (error) {
        if (!(error instanceof ThreadEnded)) throw error
        const result = (await thread.ask({ device: JAVASCRIPT, threads, input }))!
        return { ...result, report: { ...result.report, failure: `${device}: ${error.message}` } }
      }
    },
    [Symbol.asyncDispose]: () => thread[Symbol.asyncDispose](),
  }
}

/** The exact route always comes to its end; a driver may not. */
const limitOf = (device: SvdDevice, adapter: RoundStep['manifest']['adapter']) =>
  device === JAVASCRIPT ? undefined : deviceLimitMs(adapter)

const unavailable = (device: SvdDevice, cause: ThreadEnded) =>
  new FedsvdError(
    'RUNTIME_UNAVAILABLE',
    {
      expected: `the device ${device} to open`,
      got: cause.message,
      remedy: 'Mend the driver and the libraries of the device, or choose another --svd-device.',
    },
    { cause },
  )

const publicPart = ({ runId, method, adapter }: RoundStep['manifest']) => ({ runId, method, adapter })

const bytesOf = ({ data }: NamedTensor) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
const floatsOf = (bytes: Uint8Array) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)

function joined(tensors: readonly NamedTensor[]): Float32Array {
  const values = new Float32Array(tensors.reduce((sum, { data }) => sum + data.length, 0))
  let offset = 0
  for (const { data } of tensors) {
    values.set(data, offset)
    offset += data.length
  }
  return values
}
