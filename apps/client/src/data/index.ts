export { type EncodedRecords, type EncodedStores, encodedStores } from './encoded-records.ts'
export { loadSiteData, roundedDown, type SiteData } from './site-data.ts'
