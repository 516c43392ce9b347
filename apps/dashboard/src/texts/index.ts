import { en } from './en.ts'

/** The words in use. */
export const texts = en
