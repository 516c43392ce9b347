import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { readConfigFile } from '../config-file/index.ts'
import { type SiteConfig, siteConfigSchema } from './schema.ts'

/**
 * Reads `site.yaml`.
 *
 * @returns its settings by the options of `fedsvd join` that they stand for; paths are relative to the file's folder
 * @throws FedsvdError CONFIG_INVALID for a file that cannot be read, with every fault of one that can
 */
export function siteSettings(file: string): Readonly<Record<string, unknown>> {
  const folder = file === '-' ? '.' : dirname(file)
  return settingsOf(readConfigFile(file, siteConfigSchema, 'site configuration'), (path) => resolve(folder, path))
}

function settingsOf(site: SiteConfig, at: (path: string) => string): Readonly<Record<string, unknown>> {
  const { coordinator, name, task, columns, reading, declared, budget, tls, models, compute } = site
  const path = (given: string | undefined) => (given === undefined ? undefined : at(given))
  const { models: allowed, limits, approval, ...policy } = site.policy ?? {}
  const { unit, ...texts } = columns ?? {}
  const named = Object.entries({ ...texts, unit }).map(([what, column]) => [`${what}Column`, column])
  return given({
    coordinator,
    name,
    data: site.data === undefined ? undefined : [site.data].flat().map(at),
    task,
    ...Object.fromEntries(named),
    ...reading,
    declaredRecords: declared?.records,
    declaredLabels: declared?.labels,
    epsilon: budget?.epsilon,
    delta: budget?.delta,
    budgetName: budget?.name,
    disjointStatement: path(budget?.disjointStatement),
    renewal: budget?.renewals?.map(at),
    approval,
    policy: site.policy && policy,
    limits: site.policy && { ...limits, ...(allowed && { models: allowed }) },
    stateDir: path(site.stateDir),
    tokenFile: ifThere(path(site.tokenFile)),
    ca: path(tls?.ca),
    cert: path(tls?.cert),
    key: path(tls?.key),
    models: path(models?.folder),
    hub: models?.hub,
    hubTokenFile: path(models?.hubTokenFile),
    extension: site.extensions?.map(at),
    ...compute,
    releaseGrid: site.releaseGrid,
    maxWait: site.maxWaitSeconds,
  })
}

/** A token is for one enrolment: its file may be removed afterwards, and the line that names it left as it is. */
function ifThere(file: string | undefined): string | undefined {
  return file !== undefined && existsSync(file) ? file : undefined
}

function given(settings: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
}
