export { type EncodedRecords, type EncodedStores, encodedStores, type PreparedRecords } from './encoded-records.ts'
export { knownDatasets } from './known-names.ts'
export { loadSiteData, type SiteData } from './site-data.ts'
