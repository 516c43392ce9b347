import { expect, it } from 'vitest'
import { filterIn, pageOf } from './filters.tsx'

it('the address of the audit log says what is asked, with whole days and nothing that is empty', () => {
  const params = new URLSearchParams('actor= ada &action=&object=north&from=2026-03-01&to=2026-03-02&before=7&other=1')
  const filter = filterIn(params)
  expect(filter).toMatchObject({ actor: 'ada', object: 'north', before: '7' })
  expect(Object.keys(filter).sort()).toEqual(['actor', 'before', 'from', 'object', 'to'])
  expect(Date.parse(filter.to!) - Date.parse(filter.from!)).toBe(2 * 86_400_000 - 1)
  expect(filterIn(new URLSearchParams('from=yesterday&to='))).toEqual({})
})

it('another page asks the same', () => {
  const params = new URLSearchParams('actor=ada&before=7')
  expect([pageOf(params, '3').toString(), pageOf(params, undefined).toString()]).toEqual([
    'actor=ada&before=3',
    'actor=ada',
  ])
})
