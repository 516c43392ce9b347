import type { ModelList, RunManifest, RunOptions } from '@fedsvd/core/protocol'
import { Button, Group, Stack, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useLocation } from 'wouter'
import { request } from '../api/http.ts'
import { RUNS, useModels, useRunOptions, useRunPrice } from '../api/queries.ts'
import { useRole, useSession } from '../api/session.tsx'
import { PageTitle } from '../components/page-title.tsx'
import { Panel } from '../components/panel.tsx'
import { Empty, Failure, Loaded } from '../components/state.tsx'
import { useDraft } from '../draft.ts'
import { texts } from '../texts/index.ts'
import { Attention } from './new-run/attention.tsx'
import { ModelAndTask, Pace, PrivacyUnit } from './new-run/choices.tsx'
import { Projection, Readiness } from './new-run/cost.tsx'
import { checked, type Form, fieldId, type SetField, START, withModel, withRule, withTask } from './new-run/form.ts'
import { Numbers, privacyFields, roundFields, TRAINING } from './new-run/numbers.tsx'
import { Registered } from './new-run/registered.tsx'

/** A run, explained, checked and priced before anything is spent. */
export default function NewRun() {
  const role = useRole()
  if (role === 'auditor') return <Empty>{texts.newRun.notForAuditors}</Empty>
  return (
    <Stack>
      <PageTitle>New run</PageTitle>
      <Choosing />
    </Stack>
  )
}

function Choosing() {
  const models = useModels()
  const registered = useRunOptions()
  return (
    <Loaded answer={models} what="the models">
      {(list) => (
        <Loaded answer={registered} what="the methods and rules">
          {(options) => <RunForm list={list} options={options} />}
        </Loaded>
      )}
    </Loaded>
  )
}

function RunForm({ list, options }: { readonly list: ModelList; readonly options: RunOptions }) {
  // Of one operator: whoever signs in next in this tab begins with an empty form.
  const owner = useSession().state
  const key = `new-run/${owner.is === 'in' ? (owner.info.operator?.id ?? 'token') : ''}`
  const [form, setForm, forget] = useDraft<Form>(key, () => withModel(START, list.models[0]?.name ?? '', list))
  const [error, setError] = useState<unknown>()
  const [isBusy, setBusy] = useState(false)
  const [, navigate] = useLocation()
  const cache = useQueryClient()
  const { request: wanted, faults } = checked(form, list, options)
  const [settled] = useDebouncedValue(wanted, 300)
  const price = useRunPrice(settled)
  const set: SetField = (key, value) => setForm((before) => ({ ...before, [key]: value }))
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    if (wanted === undefined) return
    setBusy(true)
    setError(undefined)
    try {
      const { runId } = await request<RunManifest>('POST /v1/runs', wanted)
      forget()
      await cache.invalidateQueries({ queryKey: RUNS })
      navigate(`/runs/${runId}`)
    } catch (fault) {
      setError(fault)
      setBusy(false)
    }
  }
  const numbers = { form, faults, set }
  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <Stack>
        <div className="columns">
          <Panel title="Task">
            <Stack gap="sm">
              <TextInput
                id={fieldId('name')}
                label="Name"
                description="How the run is shown; sites see it too."
                required
                value={form.name}
                onChange={(event) => set('name', event.currentTarget.value)}
                error={form.name === '' ? undefined : faults.get('name')}
              />
              <ModelAndTask
                {...numbers}
                list={list}
                onModel={(name) => setForm((before) => withModel(before, name, list))}
                onTask={(task) => setForm((before) => withTask(before, task, list))}
              />
              <Registered
                {...numbers}
                options={options}
                onRule={(name) => setForm((before) => withRule(before, name, options))}
              />
              <TextInput
                id={fieldId('seed')}
                label="Seed"
                description="Public: of the initial adapter and of who is asked. Never of noise."
                value={form.seed}
                onChange={(event) => set('seed', event.currentTarget.value)}
                error={faults.get('seed')}
              />
            </Stack>
          </Panel>
          <Panel title="Privacy">
            <Stack gap="sm">
              <PrivacyUnit form={form} set={set} />
              <Numbers fields={privacyFields(form)} {...numbers} />
            </Stack>
          </Panel>
          <Panel title="Training">
            <Stack gap="sm">
              <Numbers
                fields={TRAINING.filter(({ key }) => key !== 'featureScale' || form.task === 'sequence-classification')}
                {...numbers}
              />
            </Stack>
          </Panel>
          <Panel title="Rounds">
            <Stack gap="sm">
              <Pace form={form} set={set} />
              <Numbers fields={roundFields(form)} {...numbers} />
            </Stack>
          </Panel>
        </div>
        <Projection request={wanted} price={price} />
        {error !== undefined && <Failure error={error} />}
        <Group align="center">
          <Button type="submit" loading={isBusy} disabled={wanted === undefined}>
            {texts.newRun.start}
          </Button>
          {wanted === undefined ? (
            <Attention form={form} faults={faults} />
          ) : (
            price.data !== undefined && price.error === null && <Readiness price={price.data} />
          )}
        </Group>
      </Stack>
    </form>
  )
}
