import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createElement } from 'react'
import { renderToStaticMarkup } from 'react-dom/server'
import { describe, expect, it } from 'vitest'
import { epsilonBound } from '../format.ts'
import { Epsilon } from './epsilon.tsx'

const SOURCES = join(import.meta.dirname, '..')

/** What a person reads of an element. */
const textOf = (props: Parameters<typeof Epsilon>[0]): string =>
  renderToStaticMarkup(createElement(Epsilon, props)).replaceAll(/<[^>]*>/g, '')

describe('a bound on epsilon as text', () => {
  it('is rounded up, never to below what is true', () => {
    expect(epsilonBound(1.0001)).toBe('≤ 1.001')
    expect(epsilonBound(12.341)).toBe('≤ 12.35')
    expect(epsilonBound(123.41)).toBe('≤ 123.5')
  })

  it('stays what it is where three digits write it', () => {
    expect(epsilonBound(0)).toBe('≤ 0.000')
    expect(epsilonBound(2.5)).toBe('≤ 2.500')
    expect(epsilonBound(0.1 + 0.2)).toBe('≤ 0.300')
  })

  it('is infinite where nothing bounds it', () => {
    for (const epsilon of [1e6, Number.MAX_VALUE, Number.POSITIVE_INFINITY, Number.NaN]) {
      expect(epsilonBound(epsilon)).toBe('≤ ∞')
    }
  })
})

describe('epsilon on a page', () => {
  it('has its unit and its delta beside it', () => {
    expect(textOf({ value: 2.5, delta: 1e-5 })).toBe('≤ 2.500 per record, δ 1e−5')
    expect(textOf({ value: 2.5, delta: 0.01, unit: 'client' })).toBe('≤ 2.500 per client, δ 0.01')
  })

  it('is the bound alone in a column whose head has unit and delta', () => {
    expect(textOf({ value: 2.5 })).toBe('≤ 2.500')
  })

  it('is written by this component alone: no page puts the sign before a number by itself', () => {
    const pages = readdirSync(SOURCES, { recursive: true })
      .map(String)
      .filter((name) => /\.tsx?$/.test(name) && !name.endsWith('.test.ts') && name !== 'format.ts')
    expect(pages.length).toBeGreaterThan(40)
    expect(pages.filter((name) => /≤ *\$?\{/.test(readFileSync(join(SOURCES, name), 'utf8')))).toEqual([])
  })
})
