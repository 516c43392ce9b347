export { splitForTest } from './split-for-test.ts'
export { fitTextBaseline, type LabelledText } from './text-baseline.ts'
