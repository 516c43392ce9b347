import { Button, Group, TextInput } from '@mantine/core'
import { type FormEvent, useState } from 'react'
import type { AuditFilter } from '../../api/queries.ts'
import { texts } from '../../texts/index.ts'

const KEYS = ['actor', 'action', 'object', 'from', 'to', 'before'] as const
const FIELDS = ['actor', 'action', 'object'] as const
const DAYS = ['from', 'to'] as const

/** What the address of the page asks for: `from` and `to` are days of this browser's clock, the last one included. */
export function filterIn(params: URLSearchParams): AuditFilter {
  const given = KEYS.flatMap((key) => {
    const value = params.get(key)?.trim() ?? ''
    return value === '' ? [] : [[key, value] as const]
  })
  const { from, to, ...filter }: Partial<Record<(typeof KEYS)[number], string>> = Object.fromEntries(given)
  const [begin, end] = [timeOf(from, '00:00:00.000'), timeOf(to, '23:59:59.999')]
  return { ...filter, ...(begin && { from: begin }), ...(end && { to: end }) }
}

function timeOf(day: string | undefined, time: string): string | undefined {
  const at = new Date(`${day ?? ''}T${time}`)
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString()
}

/** The same question at another place: before an entry, or from the newest on. */
export function pageOf(params: URLSearchParams, before: string | undefined): URLSearchParams {
  const next = new URLSearchParams(params)
  if (before === undefined) next.delete('before')
  else next.set('before', before)
  return next
}

/** Fields to search by; they take effect together, and stand in the address. */
export function Filters(props: {
  readonly params: URLSearchParams
  readonly onChange: (params: URLSearchParams) => void
}) {
  const { params, onChange } = props
  const inForce = (): Record<string, string> => Object.fromEntries(KEYS.map((key) => [key, params.get(key) ?? '']))
  const [values, setValues] = useState(inForce)
  const ask = (asked: Record<string, string>): void => {
    const given = [...FIELDS, ...DAYS].filter((key) => (asked[key] ?? '').trim() !== '')
    onChange(new URLSearchParams(given.map((key) => [key, asked[key]!.trim()])))
  }
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    ask(values)
  }
  return (
    <form onSubmit={submit} className="not-printed">
      <Group align="end" mb="sm" gap="sm">
        {[...FIELDS, ...DAYS].map((key) => (
          <TextInput
            key={key}
            type={key === 'from' || key === 'to' ? 'date' : 'search'}
            label={texts.audit.fields[key].label}
            placeholder={texts.audit.fields[key].example}
            maxLength={200}
            w={170}
            value={values[key] ?? ''}
            onChange={(event) => setValues({ ...values, [key]: event.currentTarget.value })}
          />
        ))}
        <Button type="submit">{texts.audit.search}</Button>
        {[...params.keys()].length > 0 && (
          <Button
            variant="default"
            onClick={() => {
              setValues({})
              ask({})
            }}
          >
            {texts.audit.clear}
          </Button>
        )}
      </Group>
    </form>
  )
}
