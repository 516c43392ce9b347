import type { SessionInfo } from '@fedsvd/core/protocol'
import {
  AppShell,
  Badge,
  Burger,
  Button,
  NavLink,
  Text,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { type ReactNode, useEffect } from 'react'
import { Link, useLocation } from 'wouter'
import { type LiveState, useLive } from './api/live.tsx'
import { useSession } from './api/session.tsx'
import { dateTime } from './format.ts'
import { texts } from './texts/index.ts'

interface View {
  readonly path: string
  readonly name: string
  readonly roles?: readonly SessionInfo['role'][]
}

const VIEWS: readonly View[] = [
  { path: '/', name: 'Overview' },
  { path: '/clients', name: 'Clients' },
  { path: '/models', name: 'Models' },
  { path: '/what-if', name: 'What if' },
  { path: '/new-run', name: 'New run', roles: ['admin', 'operator'] },
  { path: '/reports', name: texts.views.reports },
  { path: '/audit', name: texts.views.audit },
]

/** Header, navigation and the place of the view. */
export function Shell({ info, children }: { readonly info: SessionInfo; readonly children: ReactNode }) {
  const [isOpen, { toggle, close }] = useDisclosure()
  const [location] = useLocation()
  useEffect(close, [location, close])
  const views = VIEWS.filter(({ roles }) => roles?.includes(info.role) ?? true)
  return (
    <AppShell
      header={{ height: 52 }}
      navbar={{ width: 190, breakpoint: 'md', collapsed: { mobile: !isOpen } }}
      padding="md"
    >
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <AppShell.Header>
        <div className="shell-header">
          <Burger
            opened={isOpen}
            onClick={toggle}
            hiddenFrom="md"
            size="sm"
            aria-label="Navigation"
            aria-expanded={isOpen}
          />
          <span className="shell-name">fedsvd</span>
          <Connection />
          <span className="shell-spacer" />
          <ColourScheme />
        </div>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label="Views">
        <AppShell.Section grow>
          {views.map(({ path, name }) => (
            <NavLink
              key={path}
              component={Link}
              href={path}
              label={name}
              active={isAt(path, location)}
              {...(isAt(path, location) && { 'aria-current': 'page' as const })}
            />
          ))}
        </AppShell.Section>
        <AppShell.Section>
          <Account info={info} />
        </AppShell.Section>
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1}>
        <div className="page">{children}</div>
      </AppShell.Main>
    </AppShell>
  )
}

function isAt(path: string, location: string): boolean {
  return path === '/' ? location === '/' || location.startsWith('/runs') : location.startsWith(path)
}

const WORDS: Readonly<Record<LiveState, { readonly text: string; readonly color: string }>> = {
  connecting: { text: 'Connecting', color: 'gray' },
  live: { text: 'Live', color: 'accent' },
  reconnecting: { text: 'Reconnecting', color: 'orange' },
}

function Connection() {
  const { text, color } = WORDS[useLive()]
  return (
    <Badge variant="outline" color={color} role="status" tt="none" className="connection">
      {text}
    </Badge>
  )
}

function ColourScheme() {
  const { setColorScheme } = useMantineColorScheme()
  const scheme = useComputedColorScheme('light')
  const other = scheme === 'dark' ? 'light' : 'dark'
  return (
    <Button variant="default" size="compact-sm" onClick={() => setColorScheme(other)}>
      {other === 'dark' ? 'Dark' : 'Light'}
    </Button>
  )
}

function Account({ info: { operator, role, expiresAt } }: { readonly info: SessionInfo }) {
  const { signOut } = useSession()
  return (
    <>
      <Text size="sm" fw={500}>
        {operator?.name ?? 'Operator token'}
      </Text>
      <Text size="xs" className="muted" mb="xs">
        {role}
        {role === 'auditor' && ', sees and cannot change'}
        {expiresAt !== undefined && (
          <span title={`Unused, the session ends ${dateTime(expiresAt)}`}>; session ends when idle</span>
        )}
      </Text>
      <Button variant="default" size="xs" fullWidth onClick={() => void signOut().catch(() => {})}>
        Sign out
      </Button>
    </>
  )
}
