import type { Tracer } from '../../telemetry/index.ts'
import type { Store } from './store.ts'

/** The same store, each of whose methods is a span named `database <group>.<method>`; its arguments are in none. */
export function tracedStore(store: Store, tracer: Tracer): Store {
  if (!tracer.isOn) return store
  const groups = Object.entries(store).map(([group, methods]: [string, object | (() => Promise<unknown>)]) => [
    group,
    typeof methods === 'function' ? methods : traced(group, methods, tracer),
  ])
  return { ...Object.fromEntries(groups), [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() } as Store
}

function traced(group: string, methods: object, tracer: Tracer): object {
  const entries = Object.entries(methods).map(([name, method]: [string, (...args: unknown[]) => Promise<unknown>]) => [
    name,
    (...args: unknown[]) =>
      tracer.during(`database ${group}.${name}`, { 'db.system.name': 'postgresql' }, () => method.apply(methods, args)),
  ])
  return Object.fromEntries(entries) as object
}
