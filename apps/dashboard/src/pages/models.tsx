import { roundNumber } from '@fedsvd/core/errors'
import type { RegisteredModelView } from '@fedsvd/core/protocol'
import { Anchor, Badge, Group, Stack } from '@mantine/core'
import { Link } from 'wouter'
import { useRegisteredModels } from '../api/queries.ts'
import { PageTitle } from '../components/page-title.tsx'
import { Pages } from '../components/pages.tsx'
import { Panel } from '../components/panel.tsx'
import { Scroll } from '../components/scroll.tsx'
import { Empty, Loaded } from '../components/state.tsx'
import { dateTime, percent } from '../format.ts'

const ROWS = 50

/** States of runs that have names: what is handed on, and what it came from. */
export default function Models() {
  const models = useRegisteredModels()
  return (
    <Stack>
      <PageTitle>Models</PageTitle>
      <Panel title="Registry">
        <Loaded answer={models} what="the registry">
          {(registered) =>
            registered.length === 0 ? (
              <Empty>No state of a run has a name yet: fedsvd model register gives one.</Empty>
            ) : (
              <Pages items={registered} size={ROWS} label="versions">
                {(items) => <Versions models={items} />}
              </Pages>
            )
          }
        </Loaded>
      </Panel>
    </Stack>
  )
}

function Versions({ models }: { readonly models: readonly RegisteredModelView[] }) {
  return (
    <Scroll label="Registered models" minWidth={760}>
      <thead>
        <tr>
          <th>Name</th>
          <th className="number">Version</th>
          <th>Tags</th>
          <th>Run</th>
          <th className="number">Round</th>
          <th className="number">Accuracy</th>
          <th>Base model</th>
          <th>Registered</th>
        </tr>
      </thead>
      <tbody>
        {models.map(({ name, version, tags, runId, runName, round, accuracy, model, createdAt, createdBy }) => (
          <tr key={`${name} ${version}`}>
            <td>{name}</td>
            <td className="number">{version}</td>
            <td>
              <Group gap={4}>
                {tags.map((tag) => (
                  <Badge key={tag} variant="outline" tt="none">
                    {tag}
                  </Badge>
                ))}
              </Group>
            </td>
            <td>
              <Anchor component={Link} href={`/runs/${runId}`}>
                {runName}
              </Anchor>
            </td>
            <td className="number">{roundNumber(round)}</td>
            <td className="number">{accuracy === undefined ? 'not measured' : percent(accuracy)}</td>
            <td>{model}</td>
            <td className="nowrap" title={createdBy}>
              {dateTime(createdAt)}
            </td>
          </tr>
        ))}
      </tbody>
    </Scroll>
  )
}
