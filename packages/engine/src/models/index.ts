export type { HubSettings } from './hub.ts'
export { type ModelName, parseModelName } from './model-name.ts'
export {
  type ModelReference,
  type ModelSettings,
  type ModelStore,
  modelStore,
  type StoredModel,
} from './model-store.ts'
export { checkpointHead } from './trained-head.ts'
