import type { SignInOptions } from '@fedsvd/core/protocol'
import { useEffect, useState } from 'react'
import { request } from './http.ts'

/**
 * How operators may sign in beside a name and a secret; nothing until the coordinator has said so. It is not a query:
 * the cache of these is emptied whenever nobody is signed in, which is when this is asked.
 */
export function useSignInOptions(): SignInOptions {
  const [options, setOptions] = useState<SignInOptions>({})
  useEffect(() => {
    let isOver = false
    request<SignInOptions>('GET /v1/sign-in-options').then(
      (told) => {
        if (!isOver) setOptions(told)
      },
      () => {}, // a name and a secret can be tried all the same
    )
    return () => {
      isOver = true
    }
  }, [])
  return options
}
