import type { NonceStore } from '../coordinator-stores.ts'
import type { Tables } from './tables.ts'

export function memoryNonces({ cluster: { nonces } }: Tables): NonceStore {
  return {
    async spend(nonce, lifetimeMs) {
      if (nonces.has(nonce)) return false
      nonces.set(nonce, performance.now() + lifetimeMs)
      return true
    },
  }
}
