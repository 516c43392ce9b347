import type { ModelList, RunManifest, RunOptions } from '@fedsvd/core/protocol'
import { Button, Stack, Text, TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useLocation } from 'wouter'
import { request } from '../api/http.ts'
import { RUNS, useModels, useRunOptions } from '../api/queries.ts'
import { useRole } from '../api/session.tsx'
import { PageTitle } from '../components/page-title.tsx'
import { Panel } from '../components/panel.tsx'
import { Empty, Failure, Loaded } from '../components/state.tsx'
import { ModelAndTask, Pace, PrivacyUnit } from './new-run/choices.tsx'
import { Projection } from './new-run/cost.tsx'
import { checked, type Form, type SetField, START, withModel, withRule, withTask } from './new-run/form.ts'
import { Numbers, privacyFields, roundFields, TRAINING } from './new-run/numbers.tsx'
import { Registered } from './new-run/registered.tsx'

/** A run, explained, checked and priced before anything is spent. */
export default function NewRun() {
  const role = useRole()
  if (role === 'auditor') return <Empty>Auditors see runs and cannot open them.</Empty>
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
  const [form, setForm] = useState<Form>(() => withModel(START, list.models[0]?.name ?? '', list))
  const [error, setError] = useState<unknown>()
  const [isBusy, setBusy] = useState(false)
  const [, navigate] = useLocation()
  const cache = useQueryClient()
  const { request: wanted, faults } = checked(form, list, options)
  const set: SetField = (key, value) => setForm((before) => ({ ...before, [key]: value }))
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    if (wanted === undefined) return
    setBusy(true)
    setError(undefined)
    try {
      const { runId } = await request<RunManifest>('POST /v1/runs', wanted)
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
        <Projection request={wanted} />
        {error !== undefined && <Failure error={error} />}
        <div>
          <Button type="submit" loading={isBusy} disabled={wanted === undefined}>
            Open the run
          </Button>
          {wanted === undefined && (
            <Text size="sm" className="muted" mt={4}>
              {form.name === '' ? 'Give it a name first.' : 'Some field needs another value.'}
            </Text>
          )}
        </div>
      </Stack>
    </form>
  )
}
