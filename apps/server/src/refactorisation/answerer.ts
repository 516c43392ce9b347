import { isFedsvdError } from '@fedsvd/core/errors'
import type { LinearAlgebraDevice } from '@fedsvd/core/linalg'
import { loadExtensions } from '@fedsvd/engine/extensions'
import { openDevice } from '@fedsvd/engine/linear-algebra'
import type { SvdDevice } from '@fedsvd/engine/settings'
import { computeStep, JAVASCRIPT, type StepInput, type StepResult } from './step.ts'

/** What the thread is asked: to open a device, and to make a step on it where there is one to make. */
export interface Question {
  readonly id: number
  readonly device: Exclude<SvdDevice, 'auto'>
  readonly threads: number
  readonly input?: StepInput
}

export type Reply = { readonly id: number } & (
  | { readonly result: StepResult | undefined }
  /** A FedsvdError as JSON, or the message of another one. */
  | { readonly error: unknown }
)

/** Answers questions one after the other; a device is opened once. Runs in the thread. */
export function answerer(
  extensions: readonly string[],
): (question: Question) => Promise<{ reply: Reply; transfer: readonly ArrayBuffer[] }> {
  const devices = new Map<string, Promise<LinearAlgebraDevice | undefined>>()
  let before: Promise<unknown> = Promise.resolve()
  let loading: Promise<void> | undefined

  async function answer({ id, device: name, threads, input }: Question) {
    const opening = devices.get(name) ?? openDevice(name, { threads })
    devices.set(name, opening)
    try {
      loading ??= loadExtensions(extensions)
      await loading
      if (input === undefined) return { reply: { id, result: void (await opening) }, transfer: [] }
      const result = await stepOn(opening, name, input)
      return { reply: { id, result }, transfer: [result.frame.buffer as ArrayBuffer] }
    } catch (error) {
      const told = isFedsvdError(error) ? error.toJSON() : error instanceof Error ? error.message : String(error)
      return { reply: { id, error: told }, transfer: [] }
    }
  }
  return (question) => {
    const answered = before.then(() => answer(question))
    before = answered
    return answered
  }
}

/** A device that cannot be opened is one that failed: the round goes on without it. */
async function stepOn(
  opening: Promise<LinearAlgebraDevice | undefined>,
  name: string,
  input: StepInput,
): Promise<StepResult> {
  let device: LinearAlgebraDevice | undefined
  try {
    device = await opening
  } catch (error) {
    const result = await computeStep(input)
    const failure = `${name}: ${error instanceof Error ? error.message : String(error)}`
    return { ...result, report: { ...result.report, device: JAVASCRIPT, failure } }
  }
  return await computeStep(input, device)
}
