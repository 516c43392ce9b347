import { isFedsvdError } from '@fedsvd/core/errors'
import type { Role, SessionInfo } from '@fedsvd/core/protocol'
import { useQueryClient } from '@tanstack/react-query'
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from 'react'
import { BASE_PATH } from '../base-path.ts'
import { request, setProof, whenRefused } from './http.ts'

type State =
  | { readonly is: 'unknown' }
  /** `refusal` is why a sign-in link was not taken. */
  | { readonly is: 'out'; readonly hasEnded: boolean; readonly refusal?: unknown }
  | { readonly is: 'in'; readonly info: SessionInfo }

export interface Session {
  readonly state: State
  signIn(name: string, secret: string): Promise<void>
  signInByToken(token: string): Promise<void>
  signOut(): Promise<void>
  /** Asks the coordinator whether the session is still good. */
  check(): Promise<void>
}

const Context = createContext<Session | undefined>(undefined)
const ROUTE = 'GET /v1/session'
const BY_LINK = 'POST /v1/session/link'
const LINK = '#sign-in='

/**
 * What a sign-in link has behind its #, which no server sees; taken out of the address, so that neither history nor a
 * bookmark keeps it.
 */
function takeLink(): { readonly token: string } | undefined {
  const { hash, pathname, search } = window.location
  if (!hash.startsWith(LINK)) return undefined
  window.history.replaceState(window.history.state, '', pathname + search)
  return { token: hash.slice(LINK.length) }
}

/** Who is signed in. Where a session ends, whatever was shown is forgotten and the sign-in page comes back. */
export function SessionProvider({ children }: { readonly children: ReactNode }) {
  const [state, setState] = useState<State>({ is: 'unknown' })
  const cache = useQueryClient()

  const leave = useCallback(
    (hasEnded: boolean) => {
      setProof({})
      cache.clear()
      setState({ is: 'out', hasEnded })
    },
    [cache],
  )
  const enter = useCallback((info: SessionInfo, bearer?: string) => {
    setProof({ csrfToken: info.csrfToken, bearer })
    setState({ is: 'in', info })
  }, [])
  const check = useCallback(async () => {
    const info = await request<SessionInfo>(ROUTE).catch((error: unknown) => {
      if (isFedsvdError(error, 'TOKEN_INVALID')) return undefined
      throw error
    })
    if (info === undefined) return
    setState((before) => (before.is === 'in' ? { is: 'in', info } : before))
  }, [])

  useEffect(() => {
    whenRefused(() => setState((before) => (before.is === 'in' ? { is: 'out', hasEnded: true } : before)))
    let timer: number | undefined
    let isOver = false
    const link = takeLink()
    const begin = async (): Promise<void> => {
      try {
        const info = await (link === undefined ? request<SessionInfo>(ROUTE) : request<SessionInfo>(BY_LINK, link))
        if (!isOver) enter(info)
      } catch (error) {
        if (isOver) return
        if (isFedsvdError(error, 'SIGN_IN_REFUSED')) setState({ is: 'out', hasEnded: false, refusal: error })
        else if (isFedsvdError(error, 'TOKEN_INVALID')) setState({ is: 'out', hasEnded: false })
        else timer = window.setTimeout(() => void begin(), 2000)
      }
    }
    void begin()
    return () => {
      isOver = true
      window.clearTimeout(timer)
    }
  }, [enter])

  useEffect(() => {
    if (state.is !== 'out') return
    setProof({})
    cache.clear()
  }, [state.is, cache])

  const session = useMemo<Session>(
    () => ({
      state,
      check,
      async signIn(name, secret) {
        enter(await request<SessionInfo>('POST /v1/session', { name, secret }))
      },
      async signInByToken(token) {
        setProof({ bearer: token })
        try {
          enter(await request<SessionInfo>(ROUTE), token)
        } catch (error) {
          setProof({})
          throw error
        }
      },
      async signOut() {
        if (state.is === 'in' && state.info.operator !== undefined) await request('DELETE /v1/session')
        leave(false)
        // The provider would let the next one at this browser in without asking.
        if (state.is === 'in' && state.info.operator?.byProvider) {
          window.location.assign(`${BASE_PATH}/v1/oidc/sign-out`)
        }
      },
    }),
    [state, check, enter, leave],
  )
  return <Context value={session}>{children}</Context>
}

export function useSession(): Session {
  const session = useContext(Context)
  if (session === undefined) throw new TypeError('there is no SessionProvider above')
  return session
}

/** The role of the operator that is signed in; auditors see and cannot change. */
export function useRole(): Role {
  const { state } = useSession()
  return state.is === 'in' ? state.info.role : 'auditor'
}
