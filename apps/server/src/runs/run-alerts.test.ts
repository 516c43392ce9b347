import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import type { Alert } from '../storage/records/index.ts'
import { createMemoryStore } from '../storage/records/memory/index.ts'
import { createMetrics } from '../telemetry/index.ts'
import {
  AlertDesk,
  MOST_OF_A_CLIENT,
  MOST_OF_A_KIND,
  MOST_OWN_OF_A_KIND,
  readAlerts,
  shownAlerts,
} from './run-alerts.ts'

const RUN = 'run'
const metrics = createMetrics()
const deskOn = (store = createMemoryStore()) => ({
  store,
  alerts: new AlertDesk({ store: store.alerts, log: pino({ level: 'silent' }), metrics, now: () => 7 }).of(RUN),
})

describe('the alerts of a run', () => {
  it('are stored once, also after a restart', async () => {
    const { store, alerts } = deskOn()
    expect(await alerts.raise('QUORUM_MISSED', 'round 0')).toBe(true)
    expect(await alerts.raise('QUORUM_MISSED', 'round 0')).toBe(false)
    expect(await deskOn(store).alerts.raise('QUORUM_MISSED', 'round 0')).toBe(false)
    expect(await store.alerts.list(RUN, 10)).toEqual([{ runId: RUN, code: 'QUORUM_MISSED', message: 'round 0', at: 7 }])
  })

  it('of missed deadlines, which a silent client causes, leave room for other faults of the coordinator', async () => {
    const { store, alerts } = deskOn()
    for (let round = 0; round < 10_001; round += 1) await alerts.raise('QUORUM_MISSED', `round ${round}`)
    expect(await alerts.raise('OBJECT_MISSING', 'an update')).toBe(true)
    expect(await deskOn(store).alerts.raise('QUORUM_MISSED', 'round 20000')).toBe(false)
    expect(await store.alerts.list(RUN, 20_000)).toHaveLength(MOST_OWN_OF_A_KIND + 1)
  })

  it('are bounded for each client and kind, and for each client, over all restarts', async () => {
    const store = createMemoryStore()
    for (let count = 0; count < 60; count += 1) {
      const { alerts } = deskOn(store)
      for (const code of [
        'UNEXPECTED',
        'DATA_EMPTY',
        'LABEL_UNKNOWN',
        'HUB_UNAVAILABLE',
        'DATA_CHANGED',
        'NOT_FINITE',
      ] as const) {
        await alerts.raise(code, `number ${count}`, 'noisy')
      }
    }
    const stored = await store.alerts.list(RUN, 1000)
    expect(stored).toHaveLength(MOST_OF_A_CLIENT)
    const { alerts } = deskOn(store)
    for (let count = 0; count < 30; count += 1) await alerts.raise('UNEXPECTED', `number ${count}`, 'single-minded')
    const ofOne = (await store.alerts.list(RUN, 1000)).filter(({ clientId }) => clientId === 'single-minded')
    expect(ofOne).toHaveLength(MOST_OF_A_KIND)
    expect(await alerts.raise('LEDGER_MISMATCH', 'a serious one', 'noisy')).toBe(true)
    expect(await alerts.raise('UNEXPECTED', 'of another client', 'quiet')).toBe(true)
    expect(await alerts.raise('QUORUM_MISSED', 'of the coordinator')).toBe(true)
  })

  it('are raised again when the database did not take them', async () => {
    const { store } = deskOn()
    let isAway = true
    const alerts = new AlertDesk({
      store: {
        ...store.alerts,
        add: async (alert) => (isAway ? Promise.reject(new Error('away')) : store.alerts.add(alert)),
      },
      log: pino({ level: 'silent' }),
      metrics,
      now: () => 7,
    }).of(RUN)
    await expect(alerts.raise('UNEXPECTED', 'a', 'site')).rejects.toThrow('away')
    isAway = false
    expect(await alerts.raise('UNEXPECTED', 'a', 'site')).toBe(true)
  })

  it('show those of the coordinator and the serious ones first, in the order of time', () => {
    const noise = Array.from({ length: 200 }, (_, index): Alert => {
      return { runId: RUN, clientId: 'noisy', code: 'UNEXPECTED', message: String(index), at: index }
    })
    const own: Alert = { runId: RUN, code: 'QUORUM_MISSED', message: 'missed', at: -2 }
    const serious: Alert = { runId: RUN, clientId: 'noisy', code: 'LEDGER_MISMATCH', message: 'other', at: -1 }
    expect(shownAlerts([own, serious, ...noise], 4)).toEqual([own, serious, ...noise.slice(-2)])
  })

  it('show a serious one, and that a run is not private, however many others have come since', async () => {
    const { store } = deskOn()
    const serious = ['LEDGER_MISMATCH', 'NOISE_INVALID'].map((code, at): Alert => {
      return { runId: RUN, clientId: 'site', code, message: code, at }
    })
    for (const alert of serious) await store.alerts.add(alert)
    for (let at = 10; at < 2510; at += 1) {
      await store.alerts.add({ runId: RUN, code: 'QUORUM_MISSED', message: `deadline ${at}`, at })
    }
    expect(shownAlerts(await readAlerts(store.alerts, RUN)).slice(0, 2)).toEqual(serious)
  })
})
