import { expect, it } from 'vitest'
import { repeatedKey } from './repeated-key.ts'

it.each<[string, string | undefined]>([
  ['{"a":1,"a":2}', 'a'],
  ['{"a":{"a":1},"b":[{"a":1},{"a":2}]}', undefined],
  ['{"a":[1,"a","a"],"b":"a"}', undefined],
  ['{"x":{"b":1,"c":[{"d":1,"d":2}]}}', 'd'],
  ['{"\\u0061":1,"a":2}', 'a'],
  ['{"a\\"":1,"a":2}', undefined],
  ['{"a\\\\":1,"b":"}{,\\"a\\":","a":2}', undefined],
  ['[]', undefined],
  ['"text"', undefined],
  ['{"__proto__":1,"__proto__":2}', '__proto__'],
])('of %s is %s', (json, expected) => {
  JSON.parse(json)
  expect(repeatedKey(json)).toBe(expected)
})
