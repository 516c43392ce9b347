import type { RunOptions } from '@fedsvd/core/protocol'
import { NativeSelect, NumberInput } from '@mantine/core'
import { type Faults, type Form, fieldId, ruleOf, type SetField, termKey } from './form.ts'

/** What the coordinator has registered, its extensions included: the method, the first state, and the aggregation. */
export function Registered(props: {
  readonly form: Form
  readonly options: RunOptions
  readonly faults: Faults
  readonly set: SetField
  readonly onRule: (name: string) => void
}) {
  const { form, options, faults, set, onRule } = props
  const { terms = [] } = ruleOf(form, options) ?? {}
  return (
    <>
      <NativeSelect
        label="Method"
        description="fedsvd re-factorises by SVD after each round; ffa-lora keeps A frozen, the baseline."
        data={options.methods}
        value={form.method}
        onChange={(event) => set('method', event.currentTarget.value)}
      />
      <NativeSelect
        label="Initialiser"
        description="Draws the first A from the public seed."
        data={options.initialisers}
        value={form.initialiser}
        onChange={(event) => set('initialiser', event.currentTarget.value)}
      />
      {form.mode === 'synchronous' && (
        <>
          <NativeSelect
            label="Aggregation"
            description="How the updates of a round become one; only robust rules bear malicious sites."
            data={options.aggregationRules.map(({ name }) => name)}
            value={form.aggregation}
            onChange={(event) => onRule(event.currentTarget.value)}
          />
          {terms.map(({ name, minimum, maximum, isWhole }) => (
            <NumberInput
              key={name}
              id={fieldId(termKey(name))}
              label={`${form.aggregation}: ${name}`}
              value={form.terms[name] ?? minimum}
              min={minimum}
              max={maximum}
              clampBehavior="none"
              allowDecimal={!isWhole}
              onChange={(value) => set('terms', { ...form.terms, [name]: value === '' ? Number.NaN : Number(value) })}
              error={faults.get(termKey(name))}
            />
          ))}
        </>
      )}
    </>
  )
}
