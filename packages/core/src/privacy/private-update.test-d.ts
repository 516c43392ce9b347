/**
 * What the compiler must refuse. `tsc -p packages/core` checks this file (its name does not end in `.test.ts`): should
 * one of these lines begin to compile, the directive above it becomes the error.
 */
import type { NamedTensor } from '../tensor/index.ts'
import type { ClippedSum } from './clipped-sum.ts'
import type { PrivateRound, PrivateRoundOptions } from './private-round.ts'
import type { PrivateUpdate } from './private-update.ts'
import type { Reservation, ReservedEntry } from './reservation.ts'
import type { SavedStep } from './saved-step.ts'

declare function upload(update: PrivateUpdate): void
declare const gradient: Float32Array
declare const tensors: readonly NamedTensor[]
declare const entry: ReservedEntry
declare const round: PrivateRound
declare const options: PrivateRoundOptions

upload(await round.finish())

// @ts-expect-error a raw gradient
upload(gradient)
// @ts-expect-error the tensors alone, however they came about
upload(tensors)
// @ts-expect-error the noised parameters are safe to show but are not what was paid for
upload(round.current())
// @ts-expect-error an object of the same shape
upload({ tensors, reserved: entry, randomness: 'secure' })
// @ts-expect-error a copy, which could be a changed copy
upload({ ...(await round.finish()) })
// @ts-expect-error the class cannot be imported as a value, so it cannot be constructed
upload(new PrivateUpdate(tensors, entry, 'secure'))

// @ts-expect-error a ledger entry is not yet a reservation
export const fromEntry: Reservation = entry
// @ts-expect-error neither is an object that holds one
export const fromLiteral: Reservation = { entry }
// @ts-expect-error a round does not begin without one
export const unpaid: PrivateRoundOptions = { ...options, reservation: undefined }

declare const lot: ClippedSum
declare const sums: readonly Float64Array[]

await round.step(lot)
// @ts-expect-error arrays of numbers, however they were clipped
await round.step(sums)
// @ts-expect-error what can be read of a clipped sum
await round.step(lot.gridSum)
// @ts-expect-error an object of the same shape
await round.step({ gridSum: sums, terms: lot.terms, records: 1, leftOut: 0, votes: 1 })
// @ts-expect-error a copy, which could be a changed copy
await round.step({ ...lot })

declare const bytes: Uint8Array
declare function keep(step: SavedStep): void

keep(await round.save())
// @ts-expect-error bytes from a disk, or from anywhere
keep(bytes)
// @ts-expect-error an object of the same shape
keep({ reserved: entry, step: 1, bytes })
// @ts-expect-error a saved step is not an update
upload(await round.save())
// @ts-expect-error a line of a ledger is not yet the proof that it is on disk
round.kept({ runId: 'run', round: 0, attempt: 1, step: 1, durable: true })
