import { mechanismKey } from '@fedsvd/core/accounting'
import type { RunSpending, Spending } from './store.ts'

/** Spending of one client with one mechanism in one run as one entry. */
export function merged<T extends Spending & { readonly runId?: string }>(parts: readonly T[]): T[] {
  const sums = new Map<string, T>()
  for (const part of parts) {
    const { runId = '', clientId } = part
    const key = `${runId}/${clientId}/${mechanismKey(part)}`
    sums.set(key, { ...part, steps: part.steps + (sums.get(key)?.steps ?? 0) })
  }
  return [...sums.values()]
}

/** The spending of one run, without saying which. */
export function withoutRun({ clientId, sampleRate, noiseMultiplier, steps }: RunSpending): Spending {
  return { clientId, sampleRate, noiseMultiplier, steps }
}
