/** Nodes and weights of a Gauss-Legendre rule on [0, 1]: n points integrate polynomials of degree 2 n - 1 exactly. */
export interface Quadrature {
  readonly nodes: readonly number[]
  readonly weights: readonly number[]
}

export const GAUSS_3: Quadrature = {
  nodes: [0.5 - 0.5 * Math.sqrt(3 / 5), 0.5, 0.5 + 0.5 * Math.sqrt(3 / 5)],
  weights: [5 / 18, 8 / 18, 5 / 18],
}

const inner = Math.sqrt(5 - 2 * Math.sqrt(10 / 7)) / 6
const outer = Math.sqrt(5 + 2 * Math.sqrt(10 / 7)) / 6
const innerWeight = (322 + 13 * Math.sqrt(70)) / 1800
const outerWeight = (322 - 13 * Math.sqrt(70)) / 1800

export const GAUSS_5: Quadrature = {
  nodes: [0.5 - outer, 0.5 - inner, 0.5, 0.5 + inner, 0.5 + outer],
  weights: [outerWeight, innerWeight, 64 / 225, innerWeight, outerWeight],
}
