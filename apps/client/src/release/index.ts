export { QuietTime, type Work } from './quiet-time.ts'
export { type ReleaseClock, systemClock } from './release-clock.ts'
export { type ReleaseGrid, releaseGrid } from './release-grid.ts'
export { slotLength } from './slot-length.ts'
