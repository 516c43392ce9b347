import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { faultsOf, pinned } from './check-image.mjs'
import { developmentOnly } from './prune-image.mjs'

const read = (name: string): string => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8')
const dockerfile = read('Dockerfile')
const DIGEST = `sha256:${'0f'.repeat(32)}`

describe('the image', () => {
  it('is as a release needs it once its base is pinned', () => {
    expect(faultsOf(pinned(dockerfile, DIGEST))).toEqual([])
    expect(faultsOf(dockerfile.replace(/@sha256:[0-9a-f]{64}/, ''))).toEqual([expect.stringContaining('not pinned')])
  })

  it.each([
    ['an ended Node', /node:24/, 'node:20', 'older than Node 24'],
    ['root', /^USER node$/m, 'USER root', 'runs as root'],
    ['development dependencies', /^USER node$/m, 'RUN npm ci\nUSER node', 'development dependencies'],
    ['no health check', /^HEALTHCHECK/m, '# HEALTHCHECK', 'no health check'],
  ])('is refused with %s', (_, text, change, fault) => {
    expect(faultsOf(pinned(dockerfile.replace(text, change), DIGEST))).toEqual([expect.stringContaining(fault)])
  })

  it('has a folder of its own for what it writes, also where nothing says which', () => {
    const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '))
    const [workdir] = [...last.matchAll(/^WORKDIR (.*)$/gm)].map(([, folder]) => folder).slice(-1)
    expect(last).toContain(`install -d -o node -g node -m 700 ${workdir}`)
    expect(last).toContain(`FEDSVD_STATE_DIR=${workdir}`)
  })

  it('has no tool of development, and all that the apps name', () => {
    const removed = developmentOnly(JSON.parse(read('package-lock.json'))) as string[]
    for (const tool of ['typescript', 'prisma', 'vitest', 'vite', '@biomejs/biome', 'oxlint', 'turbo'])
      expect(removed).toContain(`node_modules/${tool}`)
    for (const workspace of ['packages/core', 'packages/engine', 'apps/server', 'apps/client', 'apps/cli']) {
      const { dependencies = {} } = JSON.parse(read(`${workspace}/package.json`)) as { dependencies?: object }
      for (const name of Object.keys(dependencies)) {
        const nearest = removed.includes(`node_modules/${name}`) ? `${workspace}/node_modules/${name}` : undefined
        if (nearest !== undefined) expect(JSON.parse(read('package-lock.json')).packages).toHaveProperty([nearest])
        expect(removed).not.toContain(`${workspace}/node_modules/${name}`)
      }
    }
    expect(dockerfile).toMatch(/npm ci --omit=dev --ignore-scripts && node scripts\/prune-image\.mjs/)
  })

  it('is asked for its health by the compose file', () => {
    const { services } = parse(read('docker-compose.yml')) as {
      services: Record<string, { healthcheck?: { test: string[] } }>
    }
    expect(services.coordinator!.healthcheck!.test).toEqual(['CMD', 'node', '/app/apps/cli/bin/health.mjs'])
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
