import { readdir, readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { ERROR_CATALOGUE } from '../../../packages/core/src/errors.ts'
import { LIMITS, PROTOCOL_VERSION } from '../../../packages/core/src/protocol/index.ts'
import { ROUTES } from '../src/identity/index.ts'

const fileOf = (name: string) => readFile(new URL(name, import.meta.url), 'utf8')
let page = ''
beforeAll(async () => {
  page = await fileOf('../../../docs/reference/protocol.md')
})

describe('the protocol reference', () => {
  it('has the version of the code', () => {
    expect(page).toMatch(new RegExp(`^Version ${PROTOCOL_VERSION}\\.`, 'm'))
  })

  it('lists every error of the catalogue with its status and meaning, and no other', () => {
    const rows = Array.from(page.matchAll(/^\| `([A-Z_]+)` \| (\d+) \| (.+) \|$/gm), ([, code, status, title]) => [
      code,
      { status: Number(status), title },
    ])
    expect(Object.fromEntries(rows)).toEqual(ERROR_CATALOGUE)
  })

  it('lists every route that the coordinator serves with who may call it, and no other', () => {
    const listed = Array.from(
      page.matchAll(/^\| `((?:GET|POST|PUT|PATCH|DELETE) [^`]+)` \| ([^|]+) \|/gm),
      ([, route, who]) => [route, who],
    )
    const served = Object.entries(ROUTES).map(([route, access]) => [
      route,
      typeof access === 'string' ? access : access.join(', '),
    ])
    expect(listed.toSorted()).toEqual(served.toSorted())
    expect(served.length).toBeGreaterThan(10)
  })

  it('lists every range of the protocol with its reason, and no other', () => {
    const rows = Array.from(page.matchAll(/^\| (\w+) \| (-?[\d.e+-]+) \| (-?[\d.e+-]+) \| (.+) \|$/gm), (row) => {
      const [, name, least, most, because] = row
      return [name, { least: Number(least), most: Number(most), because }]
    })
    expect(Object.fromEntries(rows)).toEqual(LIMITS)
  })

  it('lists every action of the audit log, and no other', async () => {
    const files = await readdir(new URL('../src', import.meta.url), { recursive: true })
    const code = files.filter((file) => file.endsWith('.ts') && !/generated|\.test\.ts$/.test(file))
    const sources = await Promise.all(code.map((file) => fileOf(`../../../apps/server/src/${file}`)))
    const written = sources.flatMap((source) =>
      Array.from(source.matchAll(/action: '([a-z.-]+)'/g), ([, action]) => action),
    )
    const listed = Array.from(page.matchAll(/^\| `([a-z-]+\.[a-z]+)` \|/gm), ([, action]) => action)
    expect(listed.toSorted()).toEqual(written.toSorted())
    expect(written.length).toBeGreaterThan(5)
  })

  it('lists every event of the two namespaces, and no other', async () => {
    const sources = [
      await fileOf('../../../packages/core/src/protocol/messages.ts'),
      await fileOf('../../../packages/core/src/protocol/operator.ts'),
    ].join('\n')
    const interfaces = Array.from(
      sources.matchAll(/^export interface \w+Events \{\n([\s\S]*?)^\}/gm),
      ([, body]) => body!,
    )
    const defined = interfaces.flatMap((body) =>
      Array.from(body.matchAll(/^ {2}'?([\w-]+)'?\(/gm), ([, event]) => event),
    )
    const listed = Array.from(page.matchAll(/^\| `\/(?:client|operator)` \| `([\w-]+)` \|/gm), ([, event]) => event)
    expect(listed.toSorted()).toEqual(defined.toSorted())
    expect(defined.length).toBeGreaterThan(5)
  })
})
