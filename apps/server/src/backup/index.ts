export { serveControl } from './control.ts'
export { type RestoreReport, restoreBackup } from './restore-backup.ts'
export { type BackupProgress, type BackupReport, takeBackup } from './take-backup.ts'
