import { readFile } from 'node:fs/promises'
import { ERROR_CATALOGUE } from '@fedsvd/core/errors'
import { PROTOCOL_VERSION } from '@fedsvd/core/protocol'
import { beforeAll, describe, expect, it } from 'vitest'

const fileOf = (name: string) => readFile(new URL(name, import.meta.url), 'utf8')
let page = ''
beforeAll(async () => {
  page = await fileOf('../docs/reference/protocol.md')
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

  it('lists every route that the coordinator serves, and no other', async () => {
    const sources = await Promise.all(
      ['identity', 'tensors', 'operator', 'health'].map((name) => fileOf(`../apps/server/src/http/${name}.ts`)),
    )
    const served = sources.flatMap((source) =>
      Array.from(
        source.matchAll(/router\.(get|post|put)\('([^']+)'/g),
        ([, method, route]) => `${method!.toUpperCase()} ${route}`,
      ),
    )
    const listed = Array.from(page.matchAll(/^\| `((?:GET|POST|PUT) [^`]+)` \|/gm), ([, route]) => route)
    expect(listed.toSorted()).toEqual(served.toSorted())
    expect(served.length).toBeGreaterThan(10)
  })

  it('lists every event of the two namespaces, and no other', async () => {
    const sources = [
      await fileOf('../packages/core/src/protocol/messages.ts'),
      await fileOf('../packages/core/src/protocol/operator.ts'),
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
