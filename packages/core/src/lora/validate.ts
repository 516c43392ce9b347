import { FedsvdError } from '../errors.ts'
import type { NamedTensor, TensorSpec } from '../tensor/index.ts'
import { type AdapterSchema, type AdapterState, stateSpecs } from './schema.ts'

/**
 * Refuses a schema that no factorisation fits: an orthonormal A needs rank <= dIn, a thin B needs rank <= dOut.
 *
 * @throws FedsvdError ADAPTER_INVALID
 */
export function checkSchema(schema: AdapterSchema): void {
  const names = new Set<string>()
  for (const { name, dIn, dOut } of schema.layers) {
    if (schema.rank > Math.min(dIn, dOut)) {
      throw invalid(
        `a rank of at most ${Math.min(dIn, dOut)} for layer ${name} (${dOut} x ${dIn})`,
        `rank ${schema.rank}`,
      )
    }
    if (names.has(name)) throw invalid('each layer once', `${name} twice`)
    names.add(name)
  }
  if (names.size === 0) throw invalid('at least one adapted layer', 'none')
}

/**
 * Builds a state from tensors in the order of {@link stateSpecs}.
 *
 * @throws FedsvdError ADAPTER_INVALID when a name or a shape differs from the schema
 */
export function stateFromTensors(schema: AdapterSchema, basis: number, tensors: readonly NamedTensor[]): AdapterState {
  const specs = stateSpecs(schema)
  if (tensors.length !== specs.length) throw invalid(`${specs.length} tensors`, `${tensors.length}`)
  for (const [index, spec] of specs.entries()) {
    if (!sameSpec(spec, tensors[index]!)) throw invalid(describe(spec), describe(tensors[index]!))
  }
  const layers = schema.layers.length
  return { basis, a: tensors.slice(0, layers), b: tensors.slice(layers, 2 * layers), head: tensors.slice(2 * layers) }
}

/** All tensors of a state in the order of {@link stateSpecs}. */
export function tensorsOfState(state: AdapterState): readonly NamedTensor[] {
  return [...state.a, ...state.b, ...state.head]
}

function sameSpec(left: TensorSpec, right: TensorSpec): boolean {
  return describe(left) === describe(right)
}

function describe({ name, shape }: TensorSpec): string {
  return `${name} of shape [${shape.join(', ')}]`
}

function invalid(expected: string, got: string): FedsvdError {
  return new FedsvdError('ADAPTER_INVALID', {
    expected,
    got,
    remedy: 'Use the adapter schema of the run and its base model.',
  })
}
