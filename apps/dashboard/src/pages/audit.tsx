import { Box, Code, Stack, Text } from '@mantine/core'
import { useSearchParams } from 'wouter'
import { useAuditPage, useAuditVerdict } from '../api/queries.ts'
import { useRole } from '../api/session.tsx'
import { Notice } from '../components/notice.tsx'
import { PageTitle } from '../components/page-title.tsx'
import { Panel } from '../components/panel.tsx'
import { Empty, Loaded } from '../components/state.tsx'
import { plural } from '../format.ts'
import { texts } from '../texts/index.ts'
import { Entries } from './audit/entries.tsx'
import { Filters, filterIn, pageOf } from './audit/filters.tsx'

/** Who did what, by whom it was done, what it was, what it was done to, and when. */
export default function Audit() {
  const role = useRole()
  return (
    <Stack>
      <PageTitle>{texts.views.audit}</PageTitle>
      <Panel title={texts.audit.log}>
        {role === 'operator' ? <Empty>{texts.audit.notForOperators}</Empty> : <Log />}
      </Panel>
    </Stack>
  )
}

function Log() {
  const [params, setParams] = useSearchParams()
  const filter = filterIn(params)
  const page = useAuditPage(filter)
  const turn = (before: string | undefined): void => setParams((now) => pageOf(now, before))
  return (
    <>
      <Verdict />
      <Filters params={params} onChange={(next) => setParams(next, { replace: true })} />
      <Loaded answer={page} what="the audit log">
        {(found) => (
          <Entries
            found={found}
            isFiltered={Object.keys(filter).some((key) => key !== 'before')}
            onOlder={found.next === undefined ? undefined : () => turn(String(found.next))}
            onNewest={filter.before === undefined ? undefined : () => turn(undefined)}
          />
        )}
      </Loaded>
    </>
  )
}

function Verdict() {
  const verdict = useAuditVerdict()
  return (
    <Loaded answer={verdict} what="the verification">
      {({ intact, entries, head, fault }) =>
        intact ? (
          <Text size="sm" mb="sm" className="wrap">
            The chain of {plural(entries, 'entry', 'entries')} is intact; its head is <Code>{head}</Code>.{' '}
            {texts.audit.truncation}
          </Text>
        ) : (
          <Box mb="sm">
            <Notice kind="fault" title="The chain is broken" role="alert">
              Entry {fault?.seq}: {fault?.reason}.
            </Notice>
          </Box>
        )
      }
    </Loaded>
  )
}
