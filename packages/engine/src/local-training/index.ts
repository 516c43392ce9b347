export { type Measurement, measure } from './measure.ts'
export { splitForValidation } from './split.ts'
export { type LocalRecords, type LocalResult, type LocalTerms, trainLocally } from './train-locally.ts'
