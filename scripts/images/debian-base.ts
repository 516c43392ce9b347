import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { run } from './run-command.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const NODE = '24'

/**
 * Imports an image that stands in for the official one of Node, where no registry of images can be reached: Debian by
 * debootstrap, Node and npm from npm's packages, and the user `node`. It trusts the authorities that npm trusts here.
 *
 * @param name what the image is called
 */
export function importDebianBase(name: string): void {
  const folder = mkdtempSync(path.join(tmpdir(), 'fedsvd-base-'))
  const root = path.join(folder, 'root')
  try {
    run('debootstrap', ['--variant=minbase', '--include=ca-certificates', 'bookworm', root])
    const architecture = `node-${process.platform}-${process.arch}@${NODE}`
    unpack(folder, architecture, path.join(root, 'usr/local'))
    unpack(folder, npmOfTheWorkspace(), path.join(root, 'usr/local/lib/node_modules/npm'))
    for (const program of ['npm', 'npx']) {
      run('ln', ['-s', `../lib/node_modules/npm/bin/${program}-cli.js`, path.join(root, 'usr/local/bin', program)])
    }
    configureNpm(root)
    run('chroot', [root, 'useradd', '--create-home', '--uid', '1000', '--shell', '/bin/bash', 'node'])
    run('chroot', [root, 'apt-get', 'clean'])
    const archive = path.join(folder, 'base.tar')
    run('tar', ['-C', root, '-cf', archive, '.'])
    run('podman', ['import', '--quiet', archive, name])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function npmOfTheWorkspace(): string {
  return (JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { packageManager: string })
    .packageManager
}

function unpack(folder: string, name: string, to: string): void {
  const answer = run('npm', ['pack', '--json', '--pack-destination', folder, name], { cwd: folder })
  const [{ filename }] = JSON.parse(answer) as [{ filename: string }]
  mkdirSync(to, { recursive: true })
  run('tar', ['-xzf', path.join(folder, filename), '-C', to, '--strip-components=1', '--no-same-owner'])
}

/** The registry and the authorities of this machine are known to the base alone, never to the repository. */
function configureNpm(root: string): void {
  const settings = JSON.parse(run('npm', ['config', 'list', '--json'])) as { registry: string; cafile: string | null }
  const lines = [`registry=${settings.registry}`]
  if (settings.cafile !== null) {
    cpSync(settings.cafile, path.join(root, 'etc/ssl/certs/ca-certificates.crt'))
    lines.push('cafile=/etc/ssl/certs/ca-certificates.crt')
  }
  mkdirSync(path.join(root, 'usr/local/etc'), { recursive: true })
  writeFileSync(path.join(root, 'usr/local/etc/npmrc'), `${lines.join('\n')}\n`)
}
