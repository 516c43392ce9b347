import type { Express } from 'express'
import {
  accountRoutes,
  auditLogRoutes,
  budgetRoutes,
  createApp,
  dashboard,
  factRoutes,
  guard,
  healthRoutes,
  identityRoutes,
  oidcRoutes,
  operatorRoutes,
  registeredModelRoutes,
  sessionRoutes,
  statementRoutes,
  tensorRoutes,
} from '../http/index.ts'
import { type SingleSignOn, statementKey } from '../identity/index.ts'
import type { ModelRegistry } from '../models/index.ts'
import type { Presence } from '../sockets/index.ts'
import type { BaseServices } from './base-services.ts'
import type { RunsAndViews } from './runs.ts'
import type { Security } from './security.ts'
import type { Storage } from './storage.ts'

/** The routes, behind the guard that knows who asks. */
export function composeHttp(
  { config, clock, log, metrics, tracer, events }: BaseServices,
  { store, blobs, others }: Storage,
  { sessions, operatorSessions, links, tokens }: Security,
  presence: Presence,
  { runs, views, bounds }: RunsAndViews,
  {
    models,
    statement,
    dashboardFolder,
    signOn,
    isDraining,
  }: {
    readonly models: ModelRegistry
    readonly statement: string
    readonly dashboardFolder: string | undefined
    readonly signOn: SingleSignOn | undefined
    readonly isDraining: () => boolean
  },
): Express {
  const now = (): number => clock.now()
  const isConnected = (clientId: string): boolean => presence.messenger.isConnected(clientId)
  const { commands, intake, reports } = runs
  const { requestsPerMinute, refusalsPerMinute, refusedSignInsPerMinute, transfersPerMinute } = config
  const routers = [
    healthRoutes({ store, blobs, metrics, isDraining }),
    identityRoutes({
      store,
      sessions,
      now,
      requestsPerMinute,
      onNamesake: (clientId, refusal) => reports.alertAbout(clientId, refusal),
    }),
    tensorRoutes({
      blobs,
      sessions,
      isHere: (clientId) => presence.local.isVouched(clientId),
      tokens,
      intake,
      metrics,
      log,
      tracer,
      refusalsPerMinute,
      transfersPerMinute,
    }),
    sessionRoutes({ sessions: operatorSessions, refusedSignInsPerMinute }),
    oidcRoutes({ sessions: operatorSessions, signOn, requestsPerMinute, log }),
    accountRoutes({
      store,
      links,
      now,
      isConnected,
      cutOperator: (operatorId) => events.emit('session.ended', { operatorId }),
      cutClient: (clientId) => {
        presence.local.cut(clientId)
        others?.cluster.cutClient(clientId)
      },
    }),
    operatorRoutes({ store, models, blobs, commands, views, now }),
    registeredModelRoutes({ store, now }),
    budgetRoutes({
      clients: store.clients,
      now,
      quarantine: (runId, clientId, by) => commands.quarantine(runId, clientId, by),
      onCap: () => commands.capsChanged(),
    }),
    factRoutes({ store, isConnected, capIn: (runId, clientId, terms) => views.capIn(runId, clientId, terms) }),
    statementRoutes({ store, views, bounds, key: statementKey(statement), now }),
    auditLogRoutes(store),
  ]
  return createApp({
    guard: guard({ sessions: operatorSessions, store, refusalsPerMinute }),
    routers,
    dashboard: dashboard(dashboardFolder),
    log,
    metrics,
    trustedProxies: config.trustedProxies,
  })
}
