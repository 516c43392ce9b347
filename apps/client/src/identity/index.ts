export { type Identity, loadIdentity } from './identity.ts'
