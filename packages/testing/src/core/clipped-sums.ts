import { beginClippedSum, CLIP_TARGET, type ClippedSum, type ClipTerms, gridOf } from '@fedsvd/core/privacy'
import type { NamedTensor } from '@fedsvd/core/tensor'

/** The integers, one array per tensor, that a single record contributes; zeros where it is left out. */
export function contributionOf(gradient: readonly NamedTensor[], clipNorm: number): readonly Float64Array[] {
  const sum = beginClippedSum({ specs: gradient, clipNorm })
  sum.add(gradient.map(({ data }) => data))
  return sum.finish().gridSum
}

/**
 * The sum of as many records as it takes to have these integers, and `votes` of them: each record has a gradient along
 * one coordinate.
 */
export function clippedSumOf(terms: ClipTerms, gridSum: readonly ArrayLike<number>[], votes?: number): ClippedSum {
  const sum = beginClippedSum(terms)
  const most = Math.floor(CLIP_TARGET)
  let cast = 0
  for (const [tensor, values] of gridSum.entries()) {
    for (let at = 0; at < values.length; at++) {
      for (let left = values[at]!; left !== 0; left -= Math.sign(left) * Math.min(Math.abs(left), most)) {
        const own = Math.sign(left) * Math.min(Math.abs(left), most)
        sum.addWindow(tensor, at, Float64Array.of(own * gridOf(terms.clipNorm)))
        cast += 1
      }
    }
  }
  for (; votes !== undefined && cast < votes; cast++) sum.addWindow(0, 0, Float64Array.of(0))
  for (; votes !== undefined && cast > votes; cast--) sum.leaveOut()
  return sum.finish()
}
