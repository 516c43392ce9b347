import { FedsvdError } from '../../errors.ts'
import { type AdapterState, stateFromTensors, tensorsOfState } from '../../lora/index.ts'
import { Registry } from '../../registry/index.ts'
import type { NamedTensor } from '../../tensor/index.ts'
import { fedsvd } from './fedsvd.ts'
import { ffaLora } from './ffa-lora.ts'
import type { Method, MethodStep } from './method.ts'

/** The methods that this process knows. */
export const methods = new Registry<Method>('method', [fedsvd, ffaLora])

/**
 * Adds a method, which run requests can name from then on. @throws FedsvdError CONFIG_INVALID for a name that is taken
 */
export function registerMethod(method: Method): void {
  methods.register(method)
}

/**
 * The state that a method makes, in the basis that it is in.
 *
 * @throws FedsvdError CONFIG_INVALID for a method that is not known here, ADAPTER_INVALID or NOT_FINITE for a state
 *   that it may not make
 */
export function nextState(name: string, step: MethodStep): AdapterState {
  const { schema, updated } = step
  const made = methods.get(name).next(step)
  const { a, b, head } = made
  const state = { basis: a === updated.a ? updated.basis : updated.basis + 1, a, b, head }
  const tensors = tensorsOfState(state)
  stateFromTensors(schema, state.basis, tensors)
  for (const tensor of tensors) requireFinite(name, tensor)
  return state
}

function requireFinite(method: string, { name, data }: NamedTensor): void {
  if (data.every(Number.isFinite)) return
  throw new FedsvdError('NOT_FINITE', {
    expected: `finite numbers from the method ${method}`,
    got: `NaN or infinity in ${name}`,
    remedy: 'Correct the method; the round is made again.',
  })
}
