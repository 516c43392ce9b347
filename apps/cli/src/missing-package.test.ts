import { createRequire } from 'node:module'
import { expect, it } from 'vitest'
import { missingPackage } from './missing-package.ts'

async function thrown(act: () => unknown): Promise<unknown> {
  try {
    await act()
  } catch (error) {
    return error
  }
  throw new Error('expected an error')
}

const require = createRequire(import.meta.url)

it.each(['no-such-package', '@no-such/package'])('a package that is not installed is named: %s', async (name) => {
  const required = await thrown(() => require.resolve(`${name}/package.json`))
  expect(missingPackage(required)?.message).toMatch(new RegExp(`^PACKAGE_MISSING: expected the package ${name}, `))
  const imported = { code: 'ERR_MODULE_NOT_FOUND', message: `Cannot find package '${name}' imported from /app/a.js` }
  expect(missingPackage(imported)?.message).toContain(`the package ${name},`)
})

it('a file that is not there is no package', async () => {
  for (const file of ['./nothing.cjs', '/nothing/here.cjs']) {
    expect(missingPackage(await thrown(() => require(file)))).toBeUndefined()
  }
  expect(missingPackage(new Error("Cannot find package 'a'"))).toBeUndefined()
  expect(missingPackage(undefined)).toBeUndefined()
})
