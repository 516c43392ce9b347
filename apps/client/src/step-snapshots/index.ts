export { fileStepSnapshots, requireSnapshotsRecorded, type StepSnapshots } from './step-snapshots.ts'
