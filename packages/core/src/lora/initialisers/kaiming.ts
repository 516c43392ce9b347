import type { Initialiser } from './initialiser.ts'

/** Independent N(0, 1 / (3 dIn)), the variance of PEFT's default (kaiming_uniform with a = sqrt 5). */
export const kaiming: Initialiser = {
  name: 'kaiming',
  draw({ layer: { dIn }, normals }) {
    const scale = Math.sqrt(1 / (3 * dIn))
    return normals().map((value) => value * scale)
  },
}
