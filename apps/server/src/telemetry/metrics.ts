import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export type Metrics = ReturnType<typeof createMetrics>

/** Counts and durations of one coordinator. No label names a run or a client, so the page is safe to expose. */
export function createMetrics() {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  return {
    registry,
    updates: new Counter({
      name: 'fedsvd_updates_total',
      help: 'Uploaded updates by outcome.',
      labelNames: ['outcome'],
      registers,
    }),
    updateBytes: new Counter({
      name: 'fedsvd_update_bytes_total',
      help: 'Bytes of updates that came in, refused ones included.',
      registers,
    }),
    stateBytes: new Counter({
      name: 'fedsvd_state_bytes_total',
      help: 'Bytes of states that clients fetched.',
      registers,
    }),
    ledgerDisagreements: new Counter({
      name: 'fedsvd_ledger_disagreements_total',
      help: 'Ledger reports that disagreed with the coordinator.',
      registers,
    }),
    rounds: new Histogram({
      name: 'fedsvd_round_seconds',
      help: 'Seconds from the selection of a round to its publication.',
      buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200],
      registers,
    }),
    refactorisations: new Histogram({
      name: 'fedsvd_refactorisation_seconds',
      help: 'Seconds for the factors of one state, by the device that computed them.',
      labelNames: ['device'],
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300],
      registers,
    }),
    refactorisationFallbacks: new Counter({
      name: 'fedsvd_refactorisation_fallback_layers_total',
      help: 'Layers that a device could not re-factorise within its tolerances.',
      registers,
    }),
    blobs: new Gauge({ name: 'fedsvd_stored_objects', help: 'Objects that the last collection left.', registers }),
    blobsRemoved: new Counter({
      name: 'fedsvd_objects_removed_total',
      help: 'Objects that nothing referred to and that were removed.',
      registers,
    }),
    blobBytesRemoved: new Counter({
      name: 'fedsvd_object_bytes_removed_total',
      help: 'Bytes of the objects that were removed.',
      registers,
    }),
    clients: new Gauge({ name: 'fedsvd_connected_clients', help: 'Clients with a live connection.', registers }),
    activeRuns: new Gauge({ name: 'fedsvd_open_runs', help: 'Runs that are waiting or running.', registers }),
    alerts: new Counter({
      name: 'fedsvd_alerts_total',
      help: 'Alerts raised, by code.',
      labelNames: ['code'],
      registers,
    }),
    requests: new Counter({
      name: 'fedsvd_http_requests_total',
      help: 'HTTP requests by method and status.',
      labelNames: ['method', 'status'],
      registers,
    }),
  }
}
