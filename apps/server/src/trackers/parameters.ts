import { resolveManifest } from '@fedsvd/core/protocol'
import type { RunFacts } from './run-facts.ts'

/** As much of a value is told; trackers refuse longer ones. */
const LONGEST_VALUE = 500
const MOST_PARAMETERS = 100

/** The parameters of a run as flat texts, such as `target.epsilon`: its manifest, defaults filled in. */
export function parametersOf({
  manifest,
  majority,
  isNotPrivate,
}: Pick<RunFacts, 'manifest' | 'majority' | 'isNotPrivate'>): Map<string, string> {
  const { runId: _id, name: _name, adapter, labels, ...terms } = resolveManifest(manifest)
  const { layers, head: _head, ...lora } = adapter
  const told = {
    ...terms,
    adapter: { ...lora, layers: layers.length },
    labels: labels.join(', '),
    ...(isNotPrivate && { notPrivate: true }),
    ...(majority !== undefined && { majorityBaseline: majority }),
  }
  return new Map(
    flat(told as Told)
      .slice(0, MOST_PARAMETERS)
      .map(([key, value]) => [key, value.slice(0, LONGEST_VALUE)]),
  )
}

type Told = string | number | boolean | undefined | readonly unknown[] | { readonly [key: string]: Told }

function flat(value: Told, path = ''): [string, string][] {
  if (value === undefined || value === '') return []
  if (Array.isArray(value)) return [[path, value.map(String).join(', ')]]
  if (typeof value !== 'object') return [[path, `${value}`]]
  return Object.entries(value).flatMap(([key, inner]) => flat(inner as Told, path === '' ? key : `${path}.${key}`))
}
