import { FedsvdError } from '@fedsvd/core/errors'
import { type RateLimitRequestHandler, rateLimit } from 'express-rate-limit'
import { WindowedHits } from './windowed-hits.ts'

const MINUTE_MS = 60_000

/** At most `perMinute` requests a minute from one address. */
export function limitRequests(perMinute: number): RateLimitRequestHandler {
  return limiter(perMinute, false)
}

/** At most `perMinute` refused requests a minute from one address; requests that are served do not count. */
export function limitRefusals(perMinute: number): RateLimitRequestHandler {
  return limiter(perMinute, true)
}

function limiter(perMinute: number, skipSuccessfulRequests: boolean): RateLimitRequestHandler {
  return rateLimit({
    windowMs: MINUTE_MS,
    store: new WindowedHits(MINUTE_MS),
    limit: perMinute,
    skipSuccessfulRequests,
    standardHeaders: 'draft-7',
    legacyHeaders: false,
    handler: (_request, _response, next) =>
      next(
        new FedsvdError('RATE_LIMITED', {
          expected: `at most ${perMinute} ${skipSuccessfulRequests ? 'refused ' : ''}requests a minute from one address`,
          got: `more than ${perMinute}`,
          remedy: 'Wait as long as the header Retry-After says.',
        }),
      ),
  })
}

/**
 * Throws RATE_LIMITED for a caller that has come more than `perMinute` times in a minute; a caller is one client. What
 * costs as much as several counts as several.
 */
export function limitPerClient(perMinute: number, what: string): (clientId: string, times?: number) => Promise<void> {
  const hits = new WindowedHits(MINUTE_MS)
  return async (clientId, times = 1) => {
    const { totalHits } = hits.increment(clientId)
    if (totalHits <= perMinute) {
      for (let more = 1; more < times; more += 1) hits.increment(clientId) // the next one waits for it
      return
    }
    throw new FedsvdError('RATE_LIMITED', {
      expected: `at most ${perMinute} ${what} a minute from one client`,
      got: `${totalHits} and more`,
      remedy: 'Wait a minute.',
    })
  }
}
