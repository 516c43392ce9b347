/** What may be said of a span: identifiers, names, codes and figures. Never texts of clients, payloads or secrets. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>

/** A span that is still open when the function that began it has returned. */
export interface OpenSpan {
  set(attributes: SpanAttributes): void
  end(at?: number): void
}

/** Where spans go. Times are milliseconds since 1970. */
export interface Tracer extends AsyncDisposable {
  /** False where nothing is recorded, so that nothing needs to be prepared for it either. */
  readonly isOn: boolean
  /** A span as long as the action; one that begins inside it is its child. A failure is noted by its code alone. */
  during<T>(name: string, attributes: SpanAttributes, action: (span: OpenSpan) => Promise<T>): Promise<T>
  begin(name: string, attributes: SpanAttributes, at: number, parent?: OpenSpan): OpenSpan
}

const nowhere: OpenSpan = { set: () => {}, end: () => {} }

export const noTracer: Tracer = {
  isOn: false,
  during: (_name, _attributes, action) => action(nowhere),
  begin: () => nowhere,
  async [Symbol.asyncDispose]() {},
}
