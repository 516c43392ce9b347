export { createLog, type LogLevel } from './log.ts'
export { createMetrics, type Metrics } from './metrics.ts'
export { toCatalogue } from './to-catalogue.ts'
