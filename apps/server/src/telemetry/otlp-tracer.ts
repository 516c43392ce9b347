import { AsyncLocalStorage } from 'node:async_hooks'
import { isFedsvdError } from '@fedsvd/core/errors'
import { type Context, ROOT_CONTEXT, type Span, SpanStatusCode, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base'
import type { OpenSpan, Tracer } from './tracer.ts'

/** No longer than this does an end of the coordinator wait for a receiver. */
const EXPORT_TIMEOUT_MS = 3000

/** Sends spans to `<endpoint>/v1/traces` in batches; a receiver that is away loses spans and delays nothing. */
export function otlpTracer(endpoint: string): Tracer {
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
    timeoutMillis: EXPORT_TIMEOUT_MS,
  })
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'fedsvd-coordinator' }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  })
  const tracer = provider.getTracer('fedsvd')
  const active = new AsyncLocalStorage<Context>()
  const contexts = new WeakMap<OpenSpan, Context>()

  const opened = (span: Span, context: Context): OpenSpan => {
    const open: OpenSpan = {
      set: (attributes) => void span.setAttributes(attributes),
      end: (at) => span.end(at),
    }
    contexts.set(open, trace.setSpan(context, span))
    return open
  }

  return {
    isOn: true,
    async during(name, attributes, action) {
      const parent = active.getStore() ?? ROOT_CONTEXT
      const span = tracer.startSpan(name, { attributes }, parent)
      const open = opened(span, parent)
      try {
        return await active.run(contexts.get(open)!, () => action(open))
      } catch (error) {
        span.setAttribute('error.type', isFedsvdError(error) ? error.code : 'UNEXPECTED')
        span.setStatus({ code: SpanStatusCode.ERROR })
        throw error
      } finally {
        span.end()
      }
    },
    begin(name, attributes, startTime, parent) {
      const context = (parent && contexts.get(parent)) ?? ROOT_CONTEXT
      return opened(tracer.startSpan(name, { attributes, startTime }, context), context)
    },
    // Spans that cannot be sent any more are no reason not to end.
    [Symbol.asyncDispose]: () => provider.shutdown().catch(() => {}),
  }
}
