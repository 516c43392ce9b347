export { AwaitableValue } from './awaitable-value.ts'
export {
  appendDurably,
  makeFolderDurably,
  removeDurably,
  syncFolder,
  writeFileDurably,
  writeLargeFileDurably,
} from './durable-files.ts'
export { ifThere } from './if-there.ts'
export { monotonicMs } from './monotonic.ts'
export { slicesOf, turn } from './slices.ts'
