import { describe, expect, it } from 'vitest'
import { findNamed } from './find.ts'

const ID = '3f2504e0-4f89-41d3-9a0c-0305e82c3301'
const OTHER = '3f2504e0-0000-41d3-9a0c-0305e82c3301'
const all = [
  { id: ID, name: 'reviews' },
  { id: OTHER, name: 'twice' },
  { id: '9f2504e0-0000-41d3-9a0c-0305e82c3301', name: 'twice' },
]
const find = (given: string, list = async () => all as readonly (typeof all)[number][]) =>
  findNamed(given, { what: 'run', code: 'RUN_NOT_FOUND', list })

describe('what a person names', () => {
  it('is found by its identifier without asking, by its name, or by how its identifier begins', async () => {
    const never = () => Promise.reject(new Error('asked'))
    expect(await find(ID.toUpperCase(), never)).toBe(ID)
    expect(await find('reviews')).toBe(ID)
    expect(await find('9F25')).toBe(all[2]!.id)
  })

  it('is never guessed where several fit, or none', async () => {
    await expect(find('twice')).rejects.toThrow(/RUN_NOT_FOUND: .*got twice, which 2 have: .*`fedsvd run list`/)
    await expect(find('3f2504e0')).rejects.toThrow(/which 2 have/)
    const lookalike = async () => [...all, { id: '00000000-0000-4000-8000-000000000000', name: '9f25' }]
    await expect(find('9f25', lookalike)).rejects.toThrow(/which 2 have/) // a name is chosen by others
    await expect(find('9f2')).rejects.toThrow(/RUN_NOT_FOUND/) // too short to be meant
    await expect(find('reviews2')).rejects.toThrow(/Did you mean reviews\?/)
  })
})
