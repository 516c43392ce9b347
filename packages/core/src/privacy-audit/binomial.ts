/** log C(n, k) for k from 0 to n, as compensated sums of the logarithms of ratios. */
export function logBinomials(n: number): Float64Array {
  const logs = new Float64Array(n + 1)
  let sum = 0
  let lost = 0
  for (let k = 1; k <= n; k++) {
    const term = Math.log((n - k + 1) / k) - lost
    const next = sum + term
    lost = next - sum - term
    sum = next
    logs[k] = sum
  }
  return logs
}

/** P[Binomial(n, p) >= k] for 0 < p < 1. */
export function binomialTail(n: number, k: number, p: number): number {
  const logs = logBinomials(n)
  const [right, wrong] = [Math.log(p), Math.log1p(-p)]
  let tail = 0
  for (let j = n; j >= k; j--) tail += Math.exp(logs[j]! + j * right + (n - j) * wrong)
  return Math.min(1, tail)
}
