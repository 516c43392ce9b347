export { fitTextBaseline, type LabelledText } from './text-baseline.ts'
