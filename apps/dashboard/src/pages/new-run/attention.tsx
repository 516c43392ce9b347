import { Anchor, Text } from '@mantine/core'
import { texts } from '../../texts/index.ts'
import { type Faults, type Form, fieldId } from './form.ts'
import { labelOf } from './numbers.tsx'

/** What a form still needs, each with the way to its field. */
export function Attention({ form, faults }: { readonly form: Form; readonly faults: Faults }) {
  const keys = [...faults.keys()]
  if (form.name === '' && keys.length <= 1) return <Text size="sm">{texts.newRun.enterName}</Text>
  return (
    <Text size="sm" role="status">
      {texts.newRun.needAttention(keys.length)}{' '}
      {keys.map((key, index) => (
        <span key={key}>
          {index > 0 && ', '}
          <Anchor
            href={`#${fieldId(key)}`}
            size="sm"
            underline="always"
            onClick={(event) => {
              event.preventDefault()
              document.getElementById(fieldId(key))?.focus()
            }}
          >
            {labelOf(key, form)}
          </Anchor>
        </span>
      ))}
    </Text>
  )
}
