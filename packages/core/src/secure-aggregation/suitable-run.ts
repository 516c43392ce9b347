import { bufferOf, type RunManifest, resolveManifest } from '../protocol/index.ts'
import { refused } from './refusals.ts'

type Chosen = Pick<
  RunManifest,
  'localSteps' | 'aggregation' | 'mode' | 'lateUpdates' | 'adaptiveClipping' | 'clientLevel' | 'siteEvaluation'
>

/**
 * Refuses, before it begins, a run whose rounds cannot be secure sums.
 *
 * @throws FedsvdError SUM_REFUSED with the reason
 */
export function requireSuitableRun(manifest: Chosen): void {
  const { aggregation, lateUpdates } = resolveManifest(manifest)
  const reasons: readonly (readonly [unsuitable: boolean, expected: string, got: string])[] = [
    [
      manifest.localSteps !== 1,
      'one local step a round, as a second one starts from what only the noise of its own site hides',
      `localSteps ${manifest.localSteps}`,
    ],
    [
      aggregation.name !== 'mean',
      'the mean of the updates, since another rule compares or weighs single ones, which are not seen',
      `the aggregation rule ${aggregation.name}`,
    ],
    [
      bufferOf(manifest) !== undefined,
      'rounds of one state, since masks cancel among those who share a round',
      'a buffered run',
    ],
    [
      lateUpdates !== 'reject',
      'late updates that are not counted, as their masks belong to a sum that is closed',
      'rebase',
    ],
    [
      manifest.adaptiveClipping !== undefined,
      'a clip norm that is fixed, as nobody could bound the votes of one site inside a sum',
      'adaptiveClipping',
    ],
    [
      manifest.clientLevel !== undefined,
      'no noise of the coordinator for whole clients, whose single updates it would have to clip',
      'clientLevel',
    ],
    [
      manifest.siteEvaluation !== undefined,
      'no evaluation at the sites, whose counts leave in the update and are of one site each',
      'siteEvaluation',
    ],
  ]
  const found = reasons.find(([unsuitable]) => unsuitable)
  if (found === undefined) return
  throw refused(`a run of secure sums with ${found[1]}`, found[2], 'Change the run, or do without secure aggregation.')
}
