import { logAddExp } from '../numeric/index.ts'
import type { Accountant } from './accountant.ts'
import type { AccountedEvent } from './event.ts'
import { checkDelta, checkEpsilon, checkEvent, mechanismKey, mergeEvents } from './events.ts'
import { logMomentOf, type SubsampledGaussian } from './subsampled-gaussian.ts'

/**
 * The orders at which Renyi divergence is tracked: alpha - 1 from 0.005 to 10^6, 2.5 % apart. Every order gives a valid
 * bound; between neighbouring orders epsilon varies by less than 0.04 %, so nothing is gained by a denser grid.
 */
export const RDP_ORDERS: readonly number[] = Array.from(
  { length: Math.ceil(Math.log(1e6 / 0.005) / Math.log(1.025)) },
  (_, i) => 1 + 0.005 * 1.025 ** i,
)

/** Covers the floating-point error of a divergence, whose terms are all positive. */
const ROUND_UP = 1 + 1e-11

/**
 * Renyi divergence of one step of the Poisson-subsampled Gaussian at each of the `orders` (all above 1), in the worse
 * of the two directions, which is always removal (Mironov, Talwar, Zhang 2019, theorem 5).
 *
 * Minkowski's inequality bounds the moment's root of order alpha by (1 - q) + q e^((alpha - 1) / 2 sigma^2). Where the
 * second term outweighs the first by e^14 alpha, the bound is exact to a millionth and stands in for the integral.
 */
export function renyiDivergences(mechanism: SubsampledGaussian, orders: readonly number[]): Float64Array {
  const { sampleRate: q, noiseMultiplier: sigma } = mechanism
  const logMoment = logMomentOf(mechanism)
  return Float64Array.from(orders, (alpha) => {
    const logUnsampled = (alpha - 1) / (2 * sigma * sigma)
    const logSampled = Math.log(q) + logUnsampled
    const bound = alpha * logAddExp(Math.log1p(-q), logSampled)
    const dominated = logSampled > 14 + Math.log(alpha)
    return (ROUND_UP * (dominated ? bound : logMoment(alpha))) / (alpha - 1)
  })
}

/** What a growing ledger keeps: the composed divergence at every order, and one curve per distinct mechanism. */
export interface RdpAccount {
  readonly delta: number
  readonly divergence: Float64Array
  readonly curves: ReadonlyMap<string, Float64Array>
}

/**
 * The fast accountant: Renyi DP composed by addition and converted at the best order by the tight conversion (Canonne,
 * Kamath, Steinke 2020, proposition 12; Balle et al. 2020, theorem 21).
 */
export const rdp: Accountant<RdpAccount> = {
  name: 'rdp',

  epsilonUpperBound(events, delta) {
    return rdp.epsilon(composed(events, delta))
  },

  deltaUpperBound(events, epsilon) {
    checkEpsilon(epsilon)
    if (events.length === 0) return 0
    const { divergence } = composed(events, 0.5)
    let logDelta = 0
    RDP_ORDERS.forEach((alpha, i) => {
      const rdpAtOrder = divergence[i] as number
      const bound = (alpha - 1) * (rdpAtOrder - epsilon + Math.log1p(-1 / alpha)) - Math.log(alpha)
      logDelta = Math.min(logDelta, bound, 0.5 * Math.log(-Math.expm1(-rdpAtOrder)))
    })
    return Math.exp(logDelta)
  },

  init(delta) {
    checkDelta(delta)
    return { delta, divergence: new Float64Array(RDP_ORDERS.length), curves: new Map() }
  },

  append(account, event) {
    checkEvent(event)
    const key = mechanismKey(event)
    const curve = account.curves.get(key) ?? curveOf(key, event)
    return {
      delta: account.delta,
      divergence: account.divergence.map((spent, i) => spent + event.steps * (curve[i] as number)),
      curves: account.curves.has(key) ? account.curves : new Map([...account.curves, [key, curve]]),
    }
  },

  epsilon({ divergence, delta, curves }) {
    if (curves.size === 0) return 0
    const logDelta = Math.log(delta)
    let epsilon = Number.POSITIVE_INFINITY
    RDP_ORDERS.forEach((alpha, i) => {
      const rdpAtOrder = divergence[i] as number
      // Total variation is at most sqrt(1 - e^-KL) (Bretagnolle, Huber 1978), and KL is at most the divergence here.
      if (delta * delta >= -Math.expm1(-rdpAtOrder)) epsilon = 0
      const bound = rdpAtOrder + Math.log1p(-1 / alpha) - (logDelta + Math.log(alpha)) / (alpha - 1)
      epsilon = Math.min(epsilon, Math.max(0, bound))
    })
    return epsilon
  },
}

const MOST_REMEMBERED = 256
const remembered = new Map<string, Float64Array>()

/** The curve of a mechanism, which is asked for again with every round. */
function curveOf(key: string, mechanism: SubsampledGaussian): Float64Array {
  const known = remembered.get(key)
  if (known !== undefined) return known
  const curve = renyiDivergences(mechanism, RDP_ORDERS)
  if (remembered.size >= MOST_REMEMBERED) remembered.clear()
  remembered.set(key, curve)
  return curve
}

function composed(events: readonly AccountedEvent[], delta: number): RdpAccount {
  return mergeEvents(events).reduce((account, event) => rdp.append(account, event), rdp.init(delta))
}
