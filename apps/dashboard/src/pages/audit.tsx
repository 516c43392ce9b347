import { Box, Code, Stack, Text, TextInput } from '@mantine/core'
import { useState } from 'react'
import { useAuditLog, useAuditVerdict } from '../api/queries.ts'
import { useRole } from '../api/session.tsx'
import { Notice } from '../components/notice.tsx'
import { PageTitle } from '../components/page-title.tsx'
import { Pages } from '../components/pages.tsx'
import { Panel } from '../components/panel.tsx'
import { Scroll } from '../components/scroll.tsx'
import { Empty, Loaded } from '../components/state.tsx'
import { dateTime, plural } from '../format.ts'
import { Statements } from './audit/statements.tsx'

const ROWS = 50

/** Who did what, and statements of what each client has spent. */
export default function Audit() {
  const role = useRole()
  return (
    <Stack>
      <PageTitle>Audit</PageTitle>
      <Statements />
      {role === 'operator' ? (
        <Panel title="Audit log">
          <Empty>Admins and auditors read the log.</Empty>
        </Panel>
      ) : (
        <Log />
      )}
    </Stack>
  )
}

function Log() {
  const log = useAuditLog()
  const [search, setSearch] = useState('')
  return (
    <Panel title="Audit log">
      <Verdict />
      <TextInput
        label="Search"
        placeholder="Actor, action, object or detail"
        maw={420}
        mb="sm"
        value={search}
        onChange={(event) => setSearch(event.currentTarget.value)}
      />
      <Loaded answer={log} what="the audit log">
        {(entries) => {
          const words = search.toLowerCase().split(/\s+/).filter(Boolean)
          const found = entries.filter((entry) => {
            const text = JSON.stringify(entry).toLowerCase()
            return words.every((word) => text.includes(word))
          })
          if (found.length === 0)
            return <Empty>{entries.length === 0 ? 'Nothing has happened yet.' : 'No entry fits.'}</Empty>
          return (
            <Pages items={found} size={ROWS} label="entries">
              {(items) => (
                <Scroll label="Audit log" minWidth={900}>
                  <thead>
                    <tr>
                      <th className="number">No.</th>
                      <th>Time</th>
                      <th>Action</th>
                      <th>Actor</th>
                      <th>Object</th>
                      <th>Detail</th>
                    </tr>
                  </thead>
                  <tbody>
                    {items.map(({ seq, at, action, actor, object, detail }) => (
                      <tr key={seq}>
                        <td className="number">{seq}</td>
                        <td className="nowrap">{dateTime(at)}</td>
                        <td className="nowrap">{action}</td>
                        <td title={actor}>{shortened(actor)}</td>
                        <td title={object}>{shortened(object)}</td>
                        <td style={{ overflowWrap: 'anywhere' }}>
                          <small>
                            {Object.entries(detail)
                              .map(
                                ([key, value]) =>
                                  `${key} ${Array.isArray(value) ? plural(value.length, 'item') : String(value)}`,
                              )
                              .join(', ')}
                          </small>
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </Scroll>
              )}
            </Pages>
          )
        }}
      </Loaded>
    </Panel>
  )
}

/** `operator:0f3a…`: the first group of an identifier tells it apart; the whole is its title. */
function shortened(name: string): string {
  return name.replace(/([0-9a-f]{8})-[0-9a-f-]{27}/, '$1…')
}

function Verdict() {
  const verdict = useAuditVerdict()
  return (
    <Loaded answer={verdict} what="the verification">
      {({ intact, entries, head, fault }) =>
        intact ? (
          <Text size="sm" mb="sm" style={{ overflowWrap: 'anywhere' }}>
            The chain of {plural(entries, 'entry', 'entries')} is intact; its head is <Code>{head}</Code>. A log that
            was cut short shows only against a head noted before.
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
