import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { chosenDevice, gramMultiplications, SMALL_STEP } from '../../apps/server/src/refactorisation/choose-device.ts'
import { SVD_DEVICES } from '../../packages/engine/src/settings/index.ts'

const page = await readFile(new URL('../../docs/reference/devices.md', import.meta.url), 'utf8')

/**
 * Most milliseconds that the exact route may cost more than onnxruntime where `auto` takes it: less than a thread
 * costs.
 */
const NOT_WORTH_A_THREAD = 5

const measured = Array.from(
  page.matchAll(/^\| (\d+) x (\d+) x (\d+) \| (\d+) \| ([\d.]+) \| ([\d.]+) \|$/gm),
  ([, ...cells]) => {
    const [count, width, rank, multiplications, javascript, cpu] = cells.map(Number) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ]
    const layers = Array.from({ length: count }, (_, index) => ({ name: `${index}`, dIn: width, dOut: width }))
    return {
      adapter: { rank, alpha: 1, headMode: 'frozen', head: [], layers } as const,
      multiplications,
      javascript,
      cpu,
    }
  },
)

describe('the page of devices', () => {
  it('has measured both sides of the limit that auto goes by, and the limit follows from it', () => {
    expect(measured.filter(({ multiplications }) => multiplications < SMALL_STEP).length).toBeGreaterThan(2)
    expect(measured.filter(({ multiplications }) => multiplications >= SMALL_STEP).length).toBeGreaterThan(2)
    for (const { adapter, multiplications, javascript, cpu } of measured) {
      expect(gramMultiplications(adapter)).toBe(multiplications)
      const chosen = chosenDevice('auto', adapter)
      if (chosen === 'javascript') expect(javascript - cpu).toBeLessThan(NOT_WORTH_A_THREAD)
      else expect([chosen, cpu < javascript]).toEqual(['cpu', true])
    }
    expect(page).toContain(`\`javascript\` below 10^${Math.log10(SMALL_STEP)} multiplications`)
  })

  it('names every device that a coordinator takes', () => {
    for (const device of SVD_DEVICES) expect(page).toContain(`\`${device}\``)
  })
})
