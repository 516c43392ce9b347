export { siteConfigOption, withSiteConfig } from './options.ts'
export { SITE_SCHEMA, type SiteConfig, siteConfigSchema } from './schema.ts'
export { siteSettings } from './settings.ts'
