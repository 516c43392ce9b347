import type {
  AuditFindings,
  AuditVerdict,
  ClientDetail,
  ClientView,
  ModelList,
  RegisteredModelView,
  RoundSummary,
  RunLedger,
  RunOptions,
  RunPrice,
  RunRequest,
  RunSnapshot,
  SignedStatement,
} from '@fedsvd/core/protocol'
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { request } from './http.ts'

export const RUNS = ['runs'] as const
export const CLIENTS = ['clients'] as const
export const AUDIT = ['audit'] as const
export const runKey = (runId: string) => ['run', runId] as const

const PAGE = 1000

/** All runs that the operator may see, the newest first; kept up to date by the live connection. */
export function useRuns() {
  return useQuery({
    queryKey: RUNS,
    queryFn: async () => (await request<{ runs: readonly RunSnapshot[] }>('GET /v1/runs')).runs,
  })
}

export function useRun(runId: string) {
  const cache = useQueryClient()
  return useQuery({
    queryKey: runKey(runId),
    queryFn: () => request<RunSnapshot>(`GET /v1/runs/${runId}`),
    placeholderData: () => cache.getQueryData<readonly RunSnapshot[]>(RUNS)?.find((run) => run.runId === runId),
  })
}

/** States of runs that have names. */
export function useRegisteredModels() {
  return useQuery({
    queryKey: ['registered-models'],
    queryFn: async () =>
      (await request<{ models: readonly RegisteredModelView[] }>('GET /v1/registered-models')).models,
  })
}

/** Changes whenever what is stored of the rounds of a run has changed. */
export function progressOf({ roundsDone, current, state }: RunSnapshot): string {
  return [roundsDone, state, current?.round, current?.state, current?.received.length, current?.extensions].join('/')
}

/** Rounds as they went. Those that are published never change, so only the others are read again. */
export function useRounds(run: RunSnapshot) {
  const cache = useQueryClient()
  const key = ['rounds', run.runId]
  return useQuery({
    queryKey: [...key, progressOf(run)],
    placeholderData: keepPreviousData,
    gcTime: 10_000,
    queryFn: async () => {
      const known = cache.getQueryData<readonly RoundSummary[]>(key) ?? []
      const rounds = known.filter(({ state }) => state === 'published')
      for (;;) {
        const since = rounds.length
        const page = await request<{ rounds: RoundSummary[] }>(
          `GET /v1/runs/${run.runId}/rounds?since=${since}&limit=${PAGE}`,
        )
        rounds.push(...page.rounds)
        if (page.rounds.length < PAGE) break
      }
      cache.setQueryData(key, rounds)
      return rounds as readonly RoundSummary[]
    },
  })
}

/** The facts that count for each client of a run. */
export function useLedger(run: RunSnapshot) {
  const spent = run.clients.reduce((sum, { steps }) => sum + steps, 0)
  return useQuery({
    queryKey: ['ledger', run.runId, run.clients.length, spent],
    placeholderData: keepPreviousData,
    gcTime: 10_000,
    queryFn: async () => (await request<RunLedger>(`GET /v1/runs/${run.runId}/ledger`)).clients,
  })
}

/** What a client has spent in a run, signed by the coordinator. */
export function useStatement(run: RunSnapshot, clientId: string) {
  const steps = run.clients.find((client) => client.clientId === clientId)?.steps
  return useQuery({
    queryKey: ['statement', run.runId, clientId, steps, run.state],
    queryFn: () => request<SignedStatement>(`GET /v1/runs/${run.runId}/statements/${clientId}`),
  })
}

/** What a new run may name as its model. */
export function useModels() {
  return useQuery({ queryKey: ['models'], queryFn: () => request<ModelList>('GET /v1/models') })
}

/** What a run that is not opened yet would cost every site; asked once for all of them, whatever their number. */
export function useRunPrice(wanted: RunRequest | undefined) {
  return useQuery({
    queryKey: ['price', wanted],
    enabled: wanted !== undefined,
    staleTime: 30_000,
    gcTime: 60_000,
    placeholderData: keepPreviousData,
    queryFn: () => request<RunPrice>('POST /v1/runs/price', wanted),
  })
}

/** What a new run may name as its method, initialiser and aggregation rule. */
export function useRunOptions() {
  return useQuery({ queryKey: ['run-options'], queryFn: () => request<RunOptions>('GET /v1/run-options') })
}

export function useClients() {
  return useQuery({
    queryKey: CLIENTS,
    refetchInterval: 10_000,
    queryFn: async () => (await request<{ clients: readonly ClientView[] }>('GET /v1/clients')).clients,
  })
}

export function useClient(clientId: string) {
  return useQuery({
    queryKey: [...CLIENTS, clientId],
    refetchInterval: 10_000,
    queryFn: () => request<ClientDetail>(`GET /v1/clients/${clientId}`),
  })
}

/** What entries of the audit log are looked for by; `before` is the place of a page. */
export interface AuditFilter {
  readonly actor?: string
  readonly action?: string
  readonly object?: string
  /** Times as ISO 8601. */
  readonly from?: string
  readonly to?: string
  readonly before?: string
}

/** One page of the audit log, newest first. */
export function useAuditPage(filter: AuditFilter) {
  const query = new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== ''))
  return useQuery({
    queryKey: [...AUDIT, query.toString()],
    refetchInterval: filter.before === undefined ? 15_000 : false, // older pages do not change
    placeholderData: keepPreviousData,
    queryFn: () => request<AuditFindings>(`GET /v1/audit-log/search?${query}`),
  })
}

export function useAuditVerdict() {
  return useQuery({
    queryKey: [...AUDIT, 'verdict'],
    refetchInterval: 60_000,
    queryFn: () => request<AuditVerdict>('GET /v1/audit-log/verify'),
  })
}
