import { predictsTokens, TASKS, type Task } from '@fedsvd/core/lora'
import type { ModelList, ModelView } from '@fedsvd/core/protocol'
import { NativeSelect, TagsInput, Text, Textarea, TextInput } from '@mantine/core'
import { plural } from '../../format.ts'
import { type Faults, type Form, fieldId, modelOf, type SetField } from './form.ts'

/** What each task teaches, and what a record of it is. */
const TASK_HELP: Readonly<Record<Task, string>> = {
  'sequence-classification': 'One label for a whole text. Records have a text and a label.',
  'token-classification': 'A tag for every word, such as names of persons. Records have words and their tags.',
  'causal-lm': 'The next token, so that it writes as the texts do. Records have a text and no label.',
  'instruction-tuning': 'An answer to a prompt, which is itself not learned. Records have a prompt and an answer.',
}

const OTHER = '\u0000other'

interface Choices {
  readonly form: Form
  readonly list: ModelList
  readonly faults: Faults
  readonly set: SetField
  readonly onModel: (name: string) => void
  readonly onTask: (task: Task) => void
}

/** The model, what it is trained for, and the labels where there are any. */
export function ModelAndTask({ form, list, faults, set, onModel, onTask }: Choices) {
  const model = modelOf(form, list)
  const tasks = model?.tasks ?? TASKS
  return (
    <>
      <NativeSelect
        label="Model"
        description={model === undefined ? 'Fetched from the hub when the run is opened.' : describe(model)}
        value={model?.name ?? OTHER}
        onChange={(event) => onModel(event.currentTarget.value === OTHER ? '' : event.currentTarget.value)}
        data={[
          ...list.models.map(({ name }) => name),
          ...(list.hasHub ? [{ value: OTHER, label: 'another one, from the hub' }] : []),
        ]}
      />
      {list.unusable.map(({ name, reason }) => (
        <Text key={name} size="xs" className="muted">
          {name} cannot be used: {reason}
        </Text>
      ))}
      {model === undefined && (
        <TextInput
          id={fieldId('model')}
          label="Name on the hub"
          description="owner/name@commit; a branch is resolved to its commit."
          value={form.model}
          onChange={(event) => onModel(event.currentTarget.value.trim())}
          error={form.model === '' ? undefined : faults.get('model')}
        />
      )}
      {model?.isComplete === false && (
        <Textarea
          id={fieldId('checkpoint')}
          label="What the checkpoint holds"
          description="This coordinator has its config.json only. Copy what fedsvd model show prints where all of it is."
          value={form.checkpoint}
          autosize
          minRows={2}
          maxRows={6}
          onChange={(event) => set('checkpoint', event.currentTarget.value)}
          error={form.checkpoint === '' ? undefined : faults.get('checkpoint')}
        />
      )}
      <NativeSelect
        id={fieldId('task')}
        label="Task"
        description={TASK_HELP[form.task]}
        value={form.task}
        onChange={(event) => onTask(event.currentTarget.value as Task)}
        data={[...tasks]}
        error={faults.get('task')}
      />
      {!predictsTokens(form.task) && (
        <>
          <TagsInput
            id={fieldId('labels')}
            label={form.task === 'token-classification' ? 'Tags' : 'Labels'}
            description="Names in the order of their numbers; press Enter after each."
            value={[...form.labels]}
            onChange={(labels) => set('labels', labels)}
            error={faults.get('labels')}
          />
          <NativeSelect
            label="Classification head"
            description="Trained with the adapters under the same clip norm, or random and frozen as in the paper."
            data={['trained', 'frozen']}
            value={form.headMode}
            onChange={(event) => set('headMode', event.currentTarget.value as Form['headMode'])}
          />
        </>
      )}
    </>
  )
}

function describe({ modelType, maxTokens, tasks }: ModelView): string {
  return `${modelType ?? 'Comes with the coordinator'}; stays frozen. Texts of up to ${maxTokens} tokens, ${plural(tasks.length, 'task')}.`
}

/** How the run goes from state to state. */
export function Pace({ form, set }: Pick<Choices, 'form' | 'set'>) {
  return (
    <>
      <NativeSelect
        label="Mode"
        description={
          form.mode === 'synchronous'
            ? 'Round by round: each waits for its own clients.'
            : 'Clients train in their own time; the model moves whenever enough updates have come (FedBuff).'
        }
        data={['synchronous', 'buffered']}
        value={form.mode}
        onChange={(event) => set('mode', event.currentTarget.value as Form['mode'])}
      />
      {form.mode === 'synchronous' && (
        <NativeSelect
          label="Updates that come late"
          description={
            form.lateUpdates === 'reject'
              ? 'Refused when their round has closed. What they cost stays spent.'
              : 'Moved to the basis of the round under way, exactly, and counted there.'
          }
          data={['reject', 'rebase']}
          value={form.lateUpdates}
          onChange={(event) => set('lateUpdates', event.currentTarget.value as Form['lateUpdates'])}
        />
      )}
    </>
  )
}

/** Whom the budget protects: every record alone, or a person with all records. */
export function PrivacyUnit({ form, set }: Pick<Choices, 'form' | 'set'>) {
  return (
    <>
      <NativeSelect
        label="Unit of privacy"
        description={
          form.unit === 'record'
            ? 'Each record is protected alone. A person with several records is protected less.'
            : 'A person is protected with all records. Every site names the column that tells persons apart.'
        }
        data={['record', 'person']}
        value={form.unit}
        onChange={(event) => set('unit', event.currentTarget.value as Form['unit'])}
      />
      {form.unit === 'person' && (
        <NativeSelect
          label="Records of a person count as"
          description="Their gradients are averaged or added, then clipped as one."
          data={['mean', 'sum']}
          value={form.combine}
          onChange={(event) => set('combine', event.currentTarget.value as Form['combine'])}
        />
      )}
    </>
  )
}
