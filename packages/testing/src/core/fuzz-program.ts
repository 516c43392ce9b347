import { fuzzFrames, fuzzMessages } from './fuzz.ts'

/*
 * `npm run test:fuzz [-- FRAMES [MESSAGES [SEED]]]`: hostile input in bulk, a million frames and 10,000 messages for
 * each schema unless told otherwise. Ends with 1, and the smallest input at fault, where one does what it should not.
 */
const [frames = 1_000_000, messages = 10_000, seed = Date.now() % 2 ** 31] = process.argv.slice(2).map(Number)
const MOST_GROWTH = 8 * 2 ** 20

console.log(`seed ${seed}`)
for (const [what, report] of [
  ['frames', fuzzFrames(frames, seed)],
  ['messages', fuzzMessages(messages, seed)],
] as const) {
  const { inputs, fates, heapGrowth, arrayBufferGrowth } = report
  const growth = `heap ${(heapGrowth / 2 ** 20).toFixed(2)} MiB, array buffers ${(arrayBufferGrowth / 2 ** 20).toFixed(2)} MiB`
  console.log(`${inputs} ${what}, growth of ${growth}`, fates)
  if (heapGrowth > MOST_GROWTH || arrayBufferGrowth > MOST_GROWTH) process.exitCode = 1
}
