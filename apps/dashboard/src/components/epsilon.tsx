import type { PrivacyUnit } from '@fedsvd/core/accounting'
import { epsilonBound, small } from '../format.ts'

/**
 * An upper bound on epsilon: the one way in which pages show it. Its unit and delta stand beside it, or above it: delta
 * is left out in a column alone whose head, or whose table, has them.
 */
export function Epsilon(props: { readonly value: number; readonly delta?: number; readonly unit?: PrivacyUnit }) {
  const { value, delta, unit = 'record' } = props
  return (
    <span className="nowrap">
      {epsilonBound(value)}
      {delta !== undefined && (
        <>
          {' '}
          <EpsilonUnit delta={delta} unit={unit} />
        </>
      )}
    </span>
  )
}

/** Unit and delta, for a column whose every row shares them. */
export function EpsilonUnit({ delta, unit = 'record' }: { readonly delta: number; readonly unit?: PrivacyUnit }) {
  return (
    <small className="muted">
      per {unit}, δ {small(delta)}
    </small>
  )
}

/** How much of a budget is spent, from 0 to 1 and beyond; in another colour where it will not last as planned. */
export function BudgetBar(props: { readonly share: number; readonly name: string; readonly isShort?: boolean }) {
  const { share, name, isShort = false } = props
  const shown = Math.min(1, share)
  return (
    // biome-ignore lint/a11y/useSemanticElements: a <meter> cannot be styled alike in all browsers
    <div
      className="bar"
      role="meter"
      aria-label={`Share of the budget spent by ${name}`}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.ceil(100 * shown)}
    >
      <div className={isShort ? 'bar-filled bar-short' : 'bar-filled'} style={{ width: `${100 * shown}%` }} />
    </div>
  )
}
