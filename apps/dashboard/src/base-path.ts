/**
 * The path under which a reverse proxy serves the coordinator, such as `/fedsvd`; empty at the root. It is where this
 * script comes from: one folder below, as built and in development alike.
 */
export const BASE_PATH = new URL(/* @vite-ignore */ '..', import.meta.url).pathname.replace(/\/$/, '')
