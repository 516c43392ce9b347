import { completeConfig, settingsFromEnvironment } from '@fedsvd/server'
import { type BackupProgress, restoreBackup, takeBackup } from '@fedsvd/server/backup'
import { Command } from 'commander'
import { example } from '../options.ts'
import { type Output, outputFor } from '../output.ts'

interface BackupOptions {
  readonly stateDir?: string
  readonly blobs?: string
  readonly json?: boolean
}

const STATE_DIR = 'state folder of the coordinator (FEDSVD_STATE_DIR; default .fedsvd/coordinator)'
const PROGRESS_MS = 2000

/** `fedsvd backup`: everything that a coordinator with an embedded database needs to go on elsewhere. */
export function backupCommand(): Command {
  return new Command('backup')
    .argument('<folder>', 'where to write it: a folder that is empty or not there yet')
    .option('--state-dir <folder>', STATE_DIR)
    .option('--blobs <where>', 'where tensors are kept, if not in the state folder (FEDSVD_BLOBS)')
    .option('--json', 'print progress and the result as lines of JSON')
    .addHelpText(
      'after',
      example(
        'fedsvd backup /backups/fedsvd-2026-11-30',
        'fedsvd backup /backups/fedsvd-2026-11-30 --state-dir /var/lib/fedsvd',
      ),
    )
    .action(backup)
}

/** `fedsvd restore`: makes a state folder of a backup. */
export function restoreCommand(): Command {
  return new Command('restore')
    .argument('<folder>', 'what fedsvd backup wrote')
    .option('--state-dir <folder>', `${STATE_DIR}, empty or not there yet`)
    .option('--json', 'print progress and the result as lines of JSON')
    .addHelpText('after', example('fedsvd restore /backups/fedsvd-2026-11-30 --state-dir /var/lib/fedsvd'))
    .action(restore)
}

async function backup(folder: string, { json, ...given }: BackupOptions): Promise<void> {
  const output = outputFor({ json })
  const config = completeConfig({ ...settingsFromEnvironment(), ...given })
  const report = await takeBackup(config, folder, progress(output))
  output.record({ event: 'backed-up', ...report })
  const { rows, objects, objectBytes, secrets, whileRunning } = report
  output.line(`backup     ${report.folder}, of ${report.createdAt}${whileRunning ? ', while the coordinator ran' : ''}`)
  output.line(`database   ${rows} rows`)
  output.line(`tensors    ${objects}, ${(objectBytes / 2 ** 20).toFixed(1)} MiB`)
  output.line(`secrets    ${secrets.join(', ') || 'none: they come from the environment, keep them apart'}`)
}

async function restore(folder: string, { json, ...given }: Omit<BackupOptions, 'blobs'>): Promise<void> {
  const output = outputFor({ json })
  const { stateDir } = completeConfig({ ...settingsFromEnvironment(), ...given })
  const report = await restoreBackup(folder, stateDir, progress(output))
  output.record({ event: 'restored', ...report })
  const openRuns = report.openRuns === 1 ? '1 run goes on' : `${report.openRuns} runs go on`
  output.line(`restored   ${report.stateDir}, as it was at ${report.createdAt} (fedsvd ${report.release})`)
  output.line(`database   ${report.rows} rows; ${openRuns} when the coordinator is started`)
  output.line(`tensors    ${report.objects}`)
  output.line('next       make new enrolment tokens; revoke whom you revoked since, and set caps that you set since')
}

/** A line now and then while it takes long. */
function progress(output: Output): (progress: BackupProgress) => void {
  let last = performance.now()
  return ({ objects, of }) => {
    if (performance.now() - last < PROGRESS_MS) return
    last = performance.now()
    output.record({ event: 'progress', objects, of })
    output.line(`tensors    ${objects} of ${of}`)
  }
}
