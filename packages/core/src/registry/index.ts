export { nearestName } from './nearest-name.ts'
export { type Named, Registry } from './registry.ts'
export {
  type NamedTerms,
  registeredName,
  registeredTerms,
  variantsOf,
  type WithTerms,
  withVariants,
} from './schemas.ts'
