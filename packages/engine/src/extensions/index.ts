export { baseModels, registerModel } from '../training/base-models.ts'
export { type Extension, type ExtensionApi, extensionApi } from './extension.ts'
export { loadExtensions } from './load-extensions.ts'
export { extensionSetting } from './setting.ts'
