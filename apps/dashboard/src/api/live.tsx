import type { OperatorEvents, RunSnapshot } from '@fedsvd/core/protocol'
import { type QueryClient, useQueryClient } from '@tanstack/react-query'
import { createContext, type ReactNode, useContext, useEffect, useState } from 'react'
import { io, type Socket } from 'socket.io-client'
import { BASE_PATH } from '../base-path.ts'
import { isOpen } from '../run-facts.ts'
import { currentProof } from './http.ts'
import { RUNS, runKey } from './queries.ts'
import { useSession } from './session.tsx'

export type LiveState = 'connecting' | 'live' | 'reconnecting'

const Context = createContext<LiveState>('connecting')
const REFUSALS = ['TOKEN_INVALID', 'CSRF_INVALID', 'FORBIDDEN']

/** Keeps every run up to date while an operator is signed in, and reconnects by itself. */
export function LiveProvider({ children }: { readonly children: ReactNode }) {
  const [live, setLive] = useState<LiveState>('connecting')
  const cache = useQueryClient()
  const { check } = useSession()

  useEffect(() => {
    const socket: Socket<OperatorEvents> = io('/operator', {
      path: `${BASE_PATH}/socket.io`,
      transports: ['websocket', 'polling'], // the second where WebSocket is blocked on the way
      tryAllTransports: true,
      upgrade: false,
      auth: (give) => give({ csrfToken: currentProof().csrfToken, token: currentProof().bearer }),
      reconnectionDelay: 500,
      reconnectionDelayMax: 5000,
    })
    let mayHaveMissed = false
    let timer: number | undefined
    socket.on('connect', () => {
      setLive('live')
      if (mayHaveMissed) void cache.invalidateQueries() // what changed meanwhile was not heard of
      mayHaveMissed = true
    })
    socket.on('disconnect', (reason) => {
      setLive('reconnecting')
      if (reason !== 'io server disconnect') return
      // The coordinator ended this connection: with the session, or as it goes down.
      void check().catch(() => {})
      timer = window.setTimeout(() => socket.connect(), 1000)
    })
    socket.on('connect_error', (error: Error & { data?: { code?: string } }) => {
      mayHaveMissed = true
      setLive('reconnecting')
      if (REFUSALS.includes(error.data?.code ?? '')) void check().catch(() => {})
      if (!socket.active) timer = window.setTimeout(() => socket.connect(), 2000)
    })
    socket.on('run', (snapshot) => take(cache, snapshot))
    return () => {
      window.clearTimeout(timer)
      socket.disconnect()
    }
  }, [cache, check])

  return <Context value={live}>{children}</Context>
}

export function useLive(): LiveState {
  return useContext(Context)
}

function take(cache: QueryClient, snapshot: RunSnapshot): void {
  const key = runKey(snapshot.runId)
  const known = cache.getQueryData<RunSnapshot>(key)
  if (known !== undefined) {
    const next = withHistory(known, snapshot)
    cache.setQueryData(key, next)
    // Rounds that passed unseen, and figures that came late, are read again.
    if (next.rounds.length < next.roundsDone || !isOpen(next)) void cache.invalidateQueries({ queryKey: key })
  }
  cache.setQueryData<readonly RunSnapshot[]>(RUNS, (runs) => {
    if (runs === undefined) return undefined
    const isKnown = runs.some(({ runId }) => runId === snapshot.runId)
    return isKnown ? runs.map((run) => (run.runId === snapshot.runId ? snapshot : run)) : [snapshot, ...runs]
  })
}

/** A live snapshot has the newest rounds only; those before are known, and do not change any more. */
function withHistory(known: RunSnapshot, newest: RunSnapshot): RunSnapshot {
  const first = newest.rounds[0]?.round ?? 0
  return { ...newest, rounds: [...known.rounds.filter(({ round }) => round < first), ...newest.rounds] }
}
