import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { faultsOf, IMAGES, pinned, stagesOf } from './check-image.mjs'

const read = (name: string): string => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8')
const dockerfile = read('Dockerfile')
const COMMON = ['core', 'engine', 'starter', 'client', 'cli']
/** What an image has beside them. */
const MORE: Readonly<Record<string, readonly string[]>> = { site: [], coordinator: ['server'] }
/** What a stage, and those that it is built from, copies: `stage:path`. */
const copiedInto = (stage: string): readonly string[] =>
  [...stagesOf(dockerfile, stage)!.matchAll(/^COPY (?:--from=(\S+) )?(\S+)/gm)].map(
    ([, from = 'context', file]) => `${from}:${file}`,
  )
const DIGEST = `sha256:${'0f'.repeat(32)}`

interface Service {
  readonly build?: { readonly target: string }
  readonly profiles?: readonly string[]
  readonly healthcheck?: { readonly test: readonly string[] }
}

describe('the images', () => {
  it('are as a release needs them once their base is pinned', () => {
    expect(faultsOf(pinned(dockerfile, DIGEST))).toEqual([])
    expect(faultsOf(dockerfile.replace(/@sha256:[0-9a-f]{64}/, ''))).toEqual([expect.stringContaining('not pinned')])
  })

  const ofBoth = (fault: string): readonly string[] => [`coordinator ${fault}`, `site ${fault}`]

  it.each([
    ['an ended Node', /node:24/, 'node:20', ['node:20-bookworm-slim is older than Node 24']],
    ['root', /^USER node$/m, 'USER root', ofBoth('runs as root')],
    ['root in one of them', /^FROM program AS site$/m, '$&\nUSER root', ['site runs as root']],
    ['development tools', /^USER node$/m, 'RUN npm ci\n$&', ofBoth('installs development dependencies')],
    ['no health check', /^HEALTHCHECK/m, '# HEALTHCHECK', ofBoth('has no health check')],
    ['another name', /AS coordinator$/m, 'AS server', ['no stage "coordinator"']],
  ])('are refused with %s', (_, text, change, faults) => {
    expect(faultsOf(pinned(dockerfile.replace(text, change), DIGEST))).toEqual(faults)
  })

  it.each(IMAGES)('%s has a folder of its own for what it writes, also where nothing says which', (image) => {
    const stages = stagesOf(dockerfile, image)!
    const [workdir] = [...stages.matchAll(/^WORKDIR (.*)$/gm)].map(([, folder]) => folder).slice(-1)
    expect(stages).toContain(`install -d -o node -g node -m 700 ${workdir}`)
    expect(stages).toContain(`FEDSVD_STATE_DIR=${workdir}`)
  })

  it.each(IMAGES)('%s has its own packages, pruned, and no source', (image) => {
    expect(dockerfile).toContain(`RUN node scripts/prune-packages.mjs ${image} `)
    expect(copiedInto(image)).toEqual([
      `${image}-packages:/app`,
      'common:/app',
      ...MORE[image]!.map((name) => `build:/app/build/packages/${name}`),
    ])
  })

  it('have the same programs, from one list, on no base of their own', () => {
    expect(copiedInto('common')).toEqual([
      ...COMMON.map((name) => `build:/app/build/packages/${name}`),
      'context:apps/cli/bin/health.mjs',
    ])
    expect(stagesOf(dockerfile, 'common')).toMatch(/^FROM scratch /)
  })

  it('are started by the compose file, and the coordinator is asked for its health', () => {
    const { services } = parse(read('docker-compose.yml'), { merge: true }) as { services: Record<string, Service> }
    const { postgres, coordinator, ...sites } = services
    expect(postgres!.build).toBeUndefined()
    expect(coordinator!.build?.target).toBe('coordinator')
    expect(coordinator!.healthcheck!.test).toEqual(['CMD', 'node', '/app/apps/cli/bin/health.mjs'])
    expect(Object.values(sites).map(({ build }) => build?.target)).toEqual(['site', 'site', 'site'])
    for (const { profiles } of Object.values(sites)) expect(profiles).toEqual(['sites'])
    expect([postgres!.profiles, coordinator!.profiles]).toEqual([undefined, undefined])
  })
})

describe('the health check', () => {
  const check = (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<number> =>
    new Promise((resolve) => {
      const program = fileURLToPath(new URL('../apps/cli/bin/health.mjs', import.meta.url))
      execFile(process.execPath, [program, ...args], { env: { ...process.env, ...env } }, (error) =>
        resolve(error === null ? 0 : Number(error.code)),
      )
    })

  it('asks a coordinator whether it is ready, and lets a client be', async () => {
    let status = 200
    const server = createServer(({ url }, response) => {
      response.statusCode = url === '/readyz' ? status : 404
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const port = String((server.address() as AddressInfo).port)
    try {
      expect(await check(['serve', '--port', port])).toBe(0)
      expect(await check(['serve', `--port=${port}`])).toBe(0)
      expect(await check(['serve'], { FEDSVD_PORT: port })).toBe(0)
      status = 503
      expect(await check(['serve', '--port', port])).toBe(1)
      expect(await check(['join', 'http://coordinator:7373'])).toBe(0)
    } finally {
      server.close()
    }
    expect(await check(['serve', '--port', port])).toBe(1)
  })
})
