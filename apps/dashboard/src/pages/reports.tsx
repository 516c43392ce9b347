import { Stack } from '@mantine/core'
import { PageTitle } from '../components/page-title.tsx'
import { texts } from '../texts/index.ts'
import { Statements } from './reports/statements.tsx'

/** Statements of what each site has spent, to be handed out. */
export default function Reports() {
  return (
    <Stack>
      <PageTitle>{texts.views.reports}</PageTitle>
      <Statements />
    </Stack>
  )
}
