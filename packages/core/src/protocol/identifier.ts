import { z } from 'zod'

/**
 * The UUID of a client, a run or an operator. A database takes one in capitals for the same, and a map of live runs or
 * connections does not: both read it in lower case.
 */
export const identifierSchema = z.uuid().toLowerCase()
