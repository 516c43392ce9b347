import { NumberInput } from '@mantine/core'
import { texts } from '../../texts/index.ts'
import { type Faults, type Form, fieldId, type SetField } from './form.ts'

/** A number of the form, with what it decides. */
export interface NumberField {
  readonly key: keyof { [K in keyof Form as Form[K] extends number ? K : never]: true }
  readonly label: string
  readonly help: string
  readonly step: number
  readonly isWhole?: boolean
}

const EPSILON: NumberField = {
  key: 'epsilon',
  label: 'Budget of each site (epsilon)',
  help: "Per record, for the whole run. The stricter of this and the site's own limit applies.",
  step: 0.5,
}
const DELTA: NumberField = {
  key: 'delta',
  label: 'δ',
  help: 'Must be at most one over the records of every site.',
  step: 1e-6,
}
const STEPS: readonly NumberField[] = [
  {
    key: 'rounds',
    label: 'Rounds',
    help: 'More rounds need more noise in each for the same budget.',
    step: 1,
    isWhole: true,
  },
  {
    key: 'localSteps',
    label: 'Local steps',
    help: 'DP-SGD steps of a client in a round. Each one is accounted for.',
    step: 1,
    isWhole: true,
  },
]
const LOT: NumberField = {
  key: 'expectedLotSize',
  label: 'Expected batch size',
  help: 'Records that a step draws on average. Larger batches average out noise but use more privacy per step.',
  step: 16,
  isWhole: true,
}
const CLIP_NORM: NumberField = {
  key: 'clipNorm',
  label: 'Clip norm',
  help: 'The most that one record may move a step.',
  step: 0.1,
}
const MAX_RECORDS: NumberField = {
  key: 'maxRecords',
  label: 'Records of one person',
  help: 'Of a person with more, the first so many are used and the others never. All are computed together.',
  step: 1,
  isWhole: true,
}

/** What there is to decide about privacy, by the unit that is protected. */
export function privacyFields({ unit }: Pick<Form, 'unit'>): readonly NumberField[] {
  if (unit === 'record') return [EPSILON, DELTA, ...STEPS, LOT, CLIP_NORM]
  return [
    { ...EPSILON, help: "Per person, for the whole run. The stricter of this and the site's own limit applies." },
    { ...DELTA, help: 'Must be at most one over the persons of every site.' },
    ...STEPS,
    MAX_RECORDS,
    {
      ...LOT,
      help: 'Persons that a step draws on average. Larger batches average out noise but use more privacy per step.',
    },
    { ...CLIP_NORM, help: 'The most that one person, with all records, may move a step.' },
  ]
}

export const TRAINING: readonly NumberField[] = [
  { key: 'learningRate', label: 'Learning rate', help: 'Step size; scale it against the clip norm.', step: 0.5 },
  { key: 'momentum', label: 'Momentum', help: '0 = plain SGD.', step: 0.1 },
  { key: 'rank', label: 'Rank', help: 'Directions that each adapted layer may use.', step: 1, isWhole: true },
  { key: 'alpha', label: 'Alpha', help: 'The adapter counts alpha / rank times.', step: 1 },
  { key: 'maxTokens', label: 'Longest text (tokens)', help: 'Longer texts are cut.', step: 16, isWhole: true },
  {
    key: 'featureScale',
    label: 'Feature scale',
    help: 'Multiplies the encoder output before the head sees it.',
    step: 1,
  },
]

const CLIENTS: NumberField = {
  key: 'clientsPerRound',
  label: 'Sites selected per round',
  help: 'Chosen by the public seed among those that are there and can pay.',
  step: 1,
  isWhole: true,
}
const DEADLINE: NumberField = {
  key: 'deadlineSeconds',
  label: 'Deadline (seconds)',
  help: 'Without a quorum by then the round waits for another term.',
  step: 60,
  isWhole: true,
}
const STALENESS: NumberField = {
  key: 'maxStaleness',
  label: 'Oldest update counted (states)',
  help: 'What was trained from an older state is refused. What it cost stays spent.',
  step: 1,
  isWhole: true,
}
const ROUND_BY_ROUND: readonly NumberField[] = [
  CLIENTS,
  {
    key: 'quorum',
    label: 'Quorum',
    help: 'Updates that a round needs; at most as many as are asked.',
    step: 1,
    isWhole: true,
  },
  DEADLINE,
  {
    key: 'overSelection',
    label: 'Over-selection',
    help: 'Asks this many times as many, and closes once enough have delivered. Those left over have spent all the same.',
    step: 0.1,
  },
]
const BUFFERED: readonly NumberField[] = [
  {
    key: 'bufferSize',
    label: 'Buffer size',
    help: 'Aggregate after this many updates.',
    step: 1,
    isWhole: true,
  },
  {
    key: 'stalenessExponent',
    label: 'Staleness exponent (a)',
    help: 'An update that is s states old counts (1 + s)^−a times; 0 counts all alike.',
    step: 0.1,
  },
  STALENESS,
  {
    ...CLIENTS,
    label: 'Sites training at a time',
    help: 'Free clients are asked to train from the newest state, up to so many at once.',
  },
  {
    key: 'quorum',
    label: 'Fewest updates at the deadline',
    help: 'A buffer that is not full by then is closed with so many; at most the buffer size.',
    step: 1,
    isWhole: true,
  },
  { ...DEADLINE, help: 'How long a buffer is given to fill. With too few by then it waits for another term.' },
]

/** What there is to decide about rounds, by how the run goes from state to state. */
export function roundFields({ mode, lateUpdates }: Pick<Form, 'mode' | 'lateUpdates'>): readonly NumberField[] {
  if (mode === 'buffered') return BUFFERED
  return lateUpdates === 'rebase' ? [...ROUND_BY_ROUND, STALENESS] : ROUND_BY_ROUND
}

/** What the field for a key is called. */
export function labelOf(key: string, form: Form): string {
  const numbers = [...privacyFields(form), ...TRAINING, ...roundFields(form)]
  const others: Readonly<Record<string, string>> = texts.newRun.labels
  return numbers.find((field) => field.key === key)?.label ?? others[key] ?? key
}

export function Numbers(props: {
  readonly fields: readonly NumberField[]
  readonly form: Form
  readonly faults: Faults
  readonly set: SetField
}) {
  const { fields, form, faults, set } = props
  return fields.map(({ key, label, help, step, isWhole }) => (
    <NumberInput
      key={key}
      id={fieldId(key)}
      label={label}
      description={help}
      value={form[key]}
      step={step}
      min={0}
      allowDecimal={!isWhole}
      decimalScale={key === 'delta' ? 10 : 6}
      onChange={(value) => set(key, value === '' ? Number.NaN : Number(value))}
      error={faults.get(key)}
    />
  ))
}
