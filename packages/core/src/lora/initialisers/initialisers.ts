import { FedsvdError } from '../../errors.ts'
import { Registry } from '../../registry/index.ts'
import type { Initialiser, InitialiserInput } from './initialiser.ts'
import { kaiming } from './kaiming.ts'
import { orthonormal } from './orthonormal.ts'

/** The initialisers that this process knows. */
export const initialisers = new Registry<Initialiser>('initialiser', [orthonormal, kaiming])

/** The initialiser of a run that names none. */
export const DEFAULT_INITIALISER = orthonormal.name

/** Adds an initialiser, which run requests can name. @throws FedsvdError CONFIG_INVALID for a name that is taken */
export function registerInitialiser(initialiser: Initialiser): void {
  initialisers.register(initialiser)
}

/**
 * A of one layer, as the named initialiser draws it.
 *
 * @throws FedsvdError CONFIG_INVALID for one that is not known here, ADAPTER_INVALID for values that are not rank x dIn
 *   finite numbers
 */
export function drawA(name: string, input: InitialiserInput): Float32Array {
  const drawn = initialisers.get(name).draw(input)
  const { layer, rank } = input
  const isFloats = drawn instanceof Float32Array
  if (isFloats && drawn.length === rank * layer.dIn && drawn.every(Number.isFinite)) return drawn
  throw new FedsvdError('ADAPTER_INVALID', {
    expected: `${rank * layer.dIn} finite float32 values of A of ${layer.name} from the initialiser ${name}`,
    got: isFloats ? `${drawn.length}, ${drawn.every(Number.isFinite) ? 'all' : 'not all'} finite` : 'no Float32Array',
    remedy: 'Correct draw in the extension.',
  })
}
