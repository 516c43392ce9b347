export { osRandomness } from '@fedsvd/engine/crypto'
export { type ClientParts, startClient } from './compose.ts'
export {
  type ClientConfig,
  type ClientConfigInput,
  clientConfig,
  clientConfigSchema,
  type NameOfClientSetting,
} from './config.ts'
export { loadSiteData } from './data/index.ts'
export type { ClientEvent } from './events.ts'
export {
  type LedgerEntry,
  type LedgerState,
  type LedgerVerdict,
  type LedgerView,
  ledgerPath,
  openLedger,
  outcomeOf,
  type PrivacyLedger,
  RULES,
  readLedger,
  replay,
  ruleOf,
  showLedger,
  spentEvents,
  unitOfLedger,
  verifyLedger,
  verifyLedgerBytes,
} from './ledger/index.ts'
export type { ClientNode } from './node.ts'
export { defaultOwnerKey, makeOwnerKey, readOwnerKey } from './owner/owner-key.ts'
export { type OwnerStatement, publicKeyOf, signStatement } from './owner/statement.ts'
export type { SiteEnding } from './runs/ending.ts'
export { clientsOn, defaultStateDir } from './state-folder.ts'
export {
  endpoint,
  networkTransport,
  openSocket,
  readTls,
  request,
  routeTo,
  type TlsFiles,
  type Transport,
} from './transport/index.ts'
