import { lazy, Suspense } from 'react'
import { Route, Switch } from 'wouter'
import { LiveProvider } from './api/live.tsx'
import { useSession } from './api/session.tsx'
import { Empty, Loading } from './components/state.tsx'
import { Overview } from './pages/overview.tsx'
import { SignIn } from './pages/sign-in.tsx'
import { Shell } from './shell.tsx'

const Run = lazy(() => import('./pages/run.tsx'))
const Clients = lazy(() => import('./pages/clients.tsx'))
const Client = lazy(() => import('./pages/client.tsx'))
const Models = lazy(() => import('./pages/models.tsx'))
const WhatIf = lazy(() => import('./pages/what-if.tsx'))
const NewRun = lazy(() => import('./pages/new-run.tsx'))
const Reports = lazy(() => import('./pages/reports.tsx'))
const Audit = lazy(() => import('./pages/audit.tsx'))

/** The sign-in page, or the views behind it. */
export function App() {
  const { state } = useSession()
  if (state.is === 'unknown') return <Loading what="the dashboard" />
  if (state.is === 'out') return <SignIn hasEnded={state.hasEnded} refusal={state.refusal} />
  return (
    <LiveProvider>
      <Shell info={state.info}>
        <Suspense fallback={<Loading what="the view" />}>
          <Switch>
            <Route path="/" component={Overview} />
            <Route path="/runs" component={Overview} />
            <Route path="/runs/:runId">{({ runId }) => <Run key={runId} runId={runId} />}</Route>
            <Route path="/clients">
              <Clients />
            </Route>
            <Route path="/clients/:clientId">{({ clientId }) => <Client key={clientId} clientId={clientId} />}</Route>
            <Route path="/models">
              <Models />
            </Route>
            <Route path="/what-if">
              <WhatIf />
            </Route>
            <Route path="/new-run">
              <NewRun />
            </Route>
            <Route path="/reports">
              <Reports />
            </Route>
            <Route path="/audit">
              <Audit />
            </Route>
            <Route>
              <Empty>There is no view at this address.</Empty>
            </Route>
          </Switch>
        </Suspense>
      </Shell>
    </LiveProvider>
  )
}
