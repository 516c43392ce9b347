export * from './axe.ts'
export * from './built.ts'
export * from './chromium.ts'
export * from './scene.ts'
