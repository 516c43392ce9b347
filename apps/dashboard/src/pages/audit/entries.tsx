import type { AuditEntry, AuditFindings } from '@fedsvd/core/protocol'
import { Anchor, Button, Group } from '@mantine/core'
import { Link } from 'wouter'
import { Scroll } from '../../components/scroll.tsx'
import { Empty } from '../../components/state.tsx'
import { dateTime, plural } from '../../format.ts'
import { texts } from '../../texts/index.ts'

/** A page of the log, newest first; `onOlder` and `onNewest` are absent where there is no such page. */
export function Entries(props: {
  readonly found: AuditFindings
  readonly isFiltered: boolean
  readonly onOlder: (() => void) | undefined
  readonly onNewest: (() => void) | undefined
}) {
  const { found, isFiltered, onOlder, onNewest } = props
  const { entries, names } = found
  if (entries.length === 0) return <Empty>{isFiltered ? texts.audit.noneFits : texts.audit.nothingYet}</Empty>
  return (
    <>
      <Scroll label={texts.audit.log} minWidth={900}>
        <thead>
          <tr>
            <th className="number">No.</th>
            <th>Time</th>
            <th>Actor</th>
            <th>Action</th>
            <th>Object</th>
            <th>Detail</th>
          </tr>
        </thead>
        <tbody>
          {entries.map(({ seq, at, action, actor, object, detail }) => (
            <tr key={seq}>
              <td className="number">{seq}</td>
              <td className="nowrap">
                <time dateTime={at}>{dateTime(at)}</time>
              </td>
              <td>
                <Named id={actor} names={names} />
              </td>
              <td className="nowrap">{action}</td>
              <td>
                <Named id={object} names={names} />
              </td>
              <td className="wrap">
                <small>{detailText(detail)}</small>
              </td>
            </tr>
          ))}
        </tbody>
      </Scroll>
      {(onOlder ?? onNewest) !== undefined && (
        <Group mt="sm" className="not-printed">
          <Button variant="default" size="xs" onClick={onNewest} disabled={onNewest === undefined}>
            {texts.audit.newest}
          </Button>
          <Button variant="default" size="xs" onClick={onOlder} disabled={onOlder === undefined}>
            {texts.audit.older}
          </Button>
        </Group>
      )}
    </>
  )
}

/** Whom or what an entry names, as people call it, with the way there; the whole identifier is its title. */
function Named({ id, names }: { readonly id: string; readonly names: AuditFindings['names'] }) {
  const name = names[id] ?? id.replace(/([0-9a-f]{8})-[0-9a-f-]{27}/, '$1…')
  const place = /^(run|client):(.+)$/.exec(id)
  if (place === null || names[id] === undefined) return <span title={id}>{name}</span>
  return (
    <Anchor component={Link} href={`/${place[1]}s/${place[2]}`} title={id} inherit>
      {name}
    </Anchor>
  )
}

function detailText(detail: AuditEntry['detail']): string {
  return Object.entries(detail)
    .map(([key, value]) => `${key} ${Array.isArray(value) ? plural(value.length, 'item') : String(value)}`)
    .join(', ')
}
