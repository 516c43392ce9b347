export { createLog, type LogLevel } from './log.ts'
export { createMetrics, type Metrics } from './metrics.ts'
export { toFedsvdError } from './to-catalogue.ts'
export { noTracer, type OpenSpan, openTracer, type Tracer } from './tracer.ts'
