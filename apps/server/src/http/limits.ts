import { FedsvdError } from '@fedsvd/core/errors'
import { type RateLimitRequestHandler, rateLimit } from 'express-rate-limit'

const MINUTE_MS = 60_000

/** At most `perMinute` requests a minute from one address. */
export function limitRequests(perMinute: number): RateLimitRequestHandler {
  return limiter(perMinute, false)
}

/** At most `perMinute` refused requests a minute from one address; whoever is served is not slowed down. */
export function limitRefusals(perMinute: number): RateLimitRequestHandler {
  return limiter(perMinute, true)
}

function limiter(perMinute: number, skipSuccessfulRequests: boolean): RateLimitRequestHandler {
  return rateLimit({
    windowMs: MINUTE_MS,
    limit: perMinute,
    skipSuccessfulRequests,
    standardHeaders: 'draft-7',
    legacyHeaders: false,
    handler: (_request, _response, next) =>
      next(
        new FedsvdError('RATE_LIMITED', {
          expected: `at most ${perMinute} ${skipSuccessfulRequests ? 'refused ' : ''}requests a minute from one address`,
          got: 'more',
          remedy: 'Wait as long as the header Retry-After says.',
        }),
      ),
  })
}
