export { loadSiteData, roundedDown, type SiteData, tokenise } from './site-data.ts'
