import { FedsvdError } from '../errors.ts'
import type { LinearLayer } from './layers/linear-layer.ts'

/**
 * The layers that PEFT's `target_modules` choose, in the order of `layers`: those named by a target or ending in a dot
 * and a target; `all-linear` takes every one.
 *
 * @throws FedsvdError ADAPTER_INVALID for a target that is no layer's
 */
export function targetedLayers(layers: readonly LinearLayer[], targets: readonly string[]): readonly LinearLayer[] {
  if (targets.includes('all-linear')) return layers
  const fits = (name: string, target: string) => name === target || name.endsWith(`.${target}`)
  const lost = targets.find((target) => !layers.some(({ name }) => fits(name, target)))
  if (lost !== undefined) {
    const names = new Set(layers.map(({ name }) => name.slice(name.lastIndexOf('.') + 1)))
    throw new FedsvdError('ADAPTER_INVALID', {
      expected: `targets among ${[...names].join(', ')}`,
      got: lost,
      remedy: 'Name layers of this model, or leave the targets out.',
    })
  }
  return layers.filter(({ name }) => targets.some((target) => fits(name, target)))
}
