import { noTracer, type Tracer } from './tracer.ts'

/** Sends spans to an OTLP receiver; without an address nothing is sent, and nothing of OpenTelemetry is loaded. */
export async function openTracer(endpoint: string | undefined): Promise<Tracer> {
  if (endpoint === undefined) return noTracer
  const { otlpTracer } = await import('./otlp-tracer.ts')
  return otlpTracer(endpoint)
}
