import { cp, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { modelsOf } from '../../apps/server/src/models/index.ts'
import type { RunManifest, RunSnapshot } from '../../packages/core/src/protocol/index.ts'
import { loadExtensions } from '../../packages/engine/src/extensions/index.ts'
import {
  CHROMIUM,
  HOW_TO_GET_CHROMIUM,
  NAMES,
  openBrowser,
  openPage,
  openScene,
  type Scene,
  signInOn,
} from '../../packages/testing/src/dashboard/index.ts'
import { type FakeClient, get, SECRET, temporaryFolder, until } from '../../packages/testing/src/server/index.ts'

/*
 * What can be chosen for a run is what the coordinator has and takes, and what was chosen is seen on the page of the
 * run.
 */
if (CHROMIUM === undefined) console.warn(`skipped: ${HOW_TO_GET_CHROMIUM}`)

const BERT = fileURLToPath(new URL('../../packages/engine/src/training/vectors/encoders/bert', import.meta.url))
const GEOMETRIC_MEDIAN = fileURLToPath(
  new URL('../../examples/custom-aggregation/geometric-median.mjs', import.meta.url),
)
const choice = (page: Page, label: string) => page.getByRole('combobox', { name: label, exact: true })
const optionsOf = (page: Page, label: string) => choice(page, label).locator('option').allTextContents()
const choose = (page: Page, label: string, value: string) => choice(page, label).selectOption(value)

describe.skipIf(CHROMIUM === undefined)('a new run', { timeout: 600_000 }, () => {
  let browser: Browser
  let folder: Awaited<ReturnType<typeof temporaryFolder>>

  beforeAll(async () => {
    browser = await openBrowser()
    folder = await temporaryFolder()
    await cp(BERT, path.join(folder.path, 'clinic-bert'), { recursive: true })
    await mkdir(path.join(folder.path, 'oracle'))
    await writeFile(path.join(folder.path, 'oracle/config.json'), '{ "model_type": "oracle" }')
  }, 600_000)
  afterAll(async () => {
    await browser?.close()
    await folder?.[Symbol.asyncDispose]()
  })

  const openForm = async (scene: Scene): Promise<Page> => {
    const { page } = await openPage(browser)
    await signInOn(page, scene.url, NAMES.operator, SECRET)
    await page.goto(`${scene.url}/new-run`)
    await page.getByLabel('Name').waitFor()
    return page
  }
  const runOf = async (page: Page, scene: Scene): Promise<RunSnapshot> => {
    await page.getByRole('region', { name: 'Configuration' }).waitFor()
    return await get<RunSnapshot>(scene.url, `/v1/runs/${page.url().split('/').at(-1)}`, scene.operatorToken)
  }

  it('offers the models that the coordinator has, the tasks of each, and labels where the task has some', async () => {
    await using scene = await openScene({ clients: [], parts: { models: modelsOf({ models: folder.path }) } })
    const page = await openForm(scene)
    expect(await optionsOf(page, 'Model')).toEqual(['starter', 'clinic-bert'])
    expect(await optionsOf(page, 'Task')).toEqual(['sequence-classification'])
    await page.getByText(/^oracle cannot be used: expected .* got .*oracle/).waitFor()
    await page.getByLabel('Name').fill('names of persons')
    await choose(page, 'Model', 'clinic-bert')
    expect(await optionsOf(page, 'Task')).toEqual(['sequence-classification', 'token-classification'])
    await choose(page, 'Task', 'token-classification')
    await page.getByText('A tag for every word', { exact: false }).waitFor()
    expect(await page.getByLabel('Feature scale').count()).toBe(0)
    const tags = page.locator('input[aria-haspopup=listbox]')
    for (let left = 2; left > 0; left -= 1) await tags.press('Backspace')
    await page.getByText('Two or more').waitFor()
    for (const tag of ['O', 'PER']) {
      await tags.fill(tag)
      await tags.press('Enter')
    }
    await page.getByLabel('Rank', { exact: true }).fill('2')
    await page.getByRole('button', { name: 'Start run' }).click()
    const { manifest } = await runOf(page, scene)
    expect(manifest).toMatchObject({
      task: 'token-classification',
      labels: ['O', 'PER'],
      model: { name: 'clinic-bert' },
    })
    expect(manifest.model.checkpoint?.tensors).toMatch(/^[0-9a-f]{64}$/)
    const configuration = page.getByRole('region', { name: 'Configuration' })
    expect(await configuration.textContent()).toMatch(/Tasktoken-classification.*TagsO, PER/)
    await page.context().close()
  })

  it('is made with what an extension has registered, whose terms have their ranges', async () => {
    const plain = await (async () => {
      await using scene = await openScene({ clients: [] })
      const page = await openForm(scene)
      const options = await optionsOf(page, 'Aggregation')
      await page.context().close()
      return options
    })()
    expect(plain.toSorted()).toEqual(['inverse-variance-mean', 'krum', 'mean', 'median', 'trimmed-mean'])

    await loadExtensions([GEOMETRIC_MEDIAN])
    await using scene = await openScene({ clients: [] })
    const page = await openForm(scene)
    await page.getByLabel('Name').fill('robust')
    await page.getByRole('textbox', { name: 'Rank', exact: true }).fill('2')
    expect(await optionsOf(page, 'Method')).toEqual(['fedsvd', 'ffa-lora'])
    expect(await optionsOf(page, 'Aggregation')).toEqual([...plain, 'geometric-median'])
    await choose(page, 'Aggregation', 'geometric-median')
    const iterations = page.getByRole('textbox', { name: 'geometric-median: iterations' })
    await iterations.fill('1001')
    await page.getByText('A whole number from 1 to 1000').waitFor()
    await iterations.fill('20')
    await page.getByRole('button', { name: 'Start run' }).click()
    const { manifest } = await runOf(page, scene)
    expect(manifest.aggregation).toEqual({ name: 'geometric-median', iterations: 20 })
    await page.context().close()
  })

  it('goes on in a buffer where that is chosen, whose fill and stale updates are seen', async () => {
    const silent = () => ({ train: async () => {} })
    await using scene = await openScene({ clientOptions: silent })
    const page = await openForm(scene)
    const fill = async (label: string, value: number) =>
      await page.getByRole('textbox', { name: label, exact: true }).fill(String(value))
    await page.getByLabel('Name').fill('in their own time')
    await fill('Expected batch size', 10)
    await fill('Rank', 2)
    await fill('Rounds', 3)
    // Fake clients add more noise than most runs need, and would be left out of those.
    await fill('Budget of each site (epsilon)', 0.9)
    await choose(page, 'Updates that come late', 'rebase')
    await page.getByLabel('Oldest update counted (states)').waitFor()
    await choose(page, 'Mode', 'buffered')
    expect(await page.getByLabel('Updates that come late').count()).toBe(0)
    await fill('Buffer size', 2)
    await page.getByText('At most 2, the buffer size').waitFor()
    await fill('Fewest updates at the deadline', 2)
    await page.getByRole('button', { name: 'Start run' }).click()
    const { runId, manifest } = await runOf(page, scene)
    expect(manifest).toMatchObject({ mode: { name: 'buffered', bufferSize: 2, stalenessExponent: 0.5 }, quorum: 2 })
    expect(manifest satisfies RunManifest).not.toHaveProperty('lateUpdates')

    const invitedTo = (client: FakeClient, round: number) => client.invitations.some((one) => one.round === round)
    const send = async (client: FakeClient, round: number): Promise<void> => {
      await until(`an invitation to ${round}`, () => invitedTo(client, round))
      await client.upload(client.invitations.find((one) => one.round === round)!)
    }
    const [first, second, slow] = scene.clients as [FakeClient, FakeClient, FakeClient]
    await until('the slow one to be asked', () => invitedTo(slow, 0))
    await send(first, 0)
    await page.getByText('Model version 1: 1 of 2 updates').waitFor()
    await send(second, 0)
    await until('the next buffer', () => invitedTo(first, 1))
    await send(slow, 0) // which counts in the next buffer
    await send(first, 1)
    const row = page.getByRole('table', { name: 'Rounds' }).getByRole('row', { name: /^2 published/ })
    await row.getByText('1, up to 1 state old').waitFor()
    const told = await page.getByRole('region', { name: 'Configuration' }).textContent()
    expect(told).toContain('buffered: every 2 updates make a state; one that is s states old counts (1 + s)^−0.5 times')
    expect(told).toContain('up to 20 states old')
    await page.getByRole('region', { name: 'Controls' }).getByLabel('Fewest updates').fill('3')
    await page.getByText('The fewest updates are at most the buffer size, 2.').waitFor()
    await scene.seen(runId, 'two states', ({ roundsDone }) => roundsDone >= 2)
    await page.context().close()
  })
})
