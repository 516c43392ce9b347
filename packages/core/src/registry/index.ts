export { nearestName } from './nearest-name.ts'
export { type Named, Registry } from './registry.ts'
export {
  isRegisteredName,
  type NamedTerms,
  registeredName,
  registeredTerms,
  variantsOf,
  type WithTerms,
  withVariants,
} from './schemas.ts'
