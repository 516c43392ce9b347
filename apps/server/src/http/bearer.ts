import type { Request } from 'express'

/** The token of `Authorization: Bearer <token>`, or undefined. */
export function bearerToken(request: Request): string | undefined {
  return /^Bearer ([A-Za-z0-9_.~+/=-]+)$/.exec(request.headers.authorization ?? '')?.[1]
}
