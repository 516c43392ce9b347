export { AwaitableValue } from './awaitable-value.ts'
export { appendDurably, makeFolderDurably, removeDurably, syncFolder, writeFileDurably } from './durable-files.ts'
export { ifThere } from './if-there.ts'
