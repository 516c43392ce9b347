import { buildPrograms } from './build-programs.mjs'

/** Once for all tests: the processes that they start are built, and not transpiled at each start. */
export default async function setup(): Promise<void> {
  await buildPrograms({ withTests: true })
}
