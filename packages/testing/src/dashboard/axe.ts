import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

interface AxeResults {
  readonly violations: readonly {
    readonly id: string
    readonly impact: string | null
    readonly nodes: readonly { readonly target: readonly unknown[]; readonly failureSummary?: string }[]
  }[]
}

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

/**
 * Resolves when nothing on the page changes its looks any more but what does so for ever; twice, as one change may
 * begin another.
 */
const AT_REST = `(async () => {
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
  for (let turn = 0; turn < 2; turn += 1) {
    await frame()
    const ending = document.getAnimations().filter((each) => each.effect.getComputedTiming().endTime !== Infinity)
    await Promise.allSettled(ending.map((each) => each.finished))
  }
})()`

/** What axe finds on a page that is serious or worse, one line each; by all of its rules, or by some. */
export async function seriousFaults(page: Page, rules?: readonly string[]): Promise<string[]> {
  await page.evaluate(AT_REST) // half-way from light to dark nothing has the contrast of either
  await page.evaluate(await readFile(AXE, 'utf8')) // as a debugger does: the content policy stays as strict as it is
  const { violations } = await page.evaluate(async (runOnly) => {
    const { axe } = globalThis as unknown as { axe: { run(options: object): Promise<AxeResults> } }
    return await axe.run({ resultTypes: ['violations'], ...(runOnly && { runOnly: [...runOnly] }) })
  }, rules)
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes
          .map(({ target }) => target.join(' '))
          .slice(0, 3)
          .join(' | ')}`,
    )
}
