import { describe, expect, it } from 'vitest'
import { nameKey, nameSchema } from './name.ts'

const schema = nameSchema(' ._-')

describe('names', () => {
  it.each([
    ['North Clinic', 'north clinic'],
    ['north  clinic', ' north clinic '],
    ['north-clinic', 'north_clinic.'],
    ['Klinik M\u00fcnchen', 'Klinik Mu\u0308nchen'],
    ['north', 'n\u043erth'], // Cyrillic o
    ['\u041d\u041e\u0420\u0422', 'HOPT'], // Cyrillic capitals
    ['\u0392ank', 'bank'], // Greek capital beta
    ['ﬁrst bank', 'first bank'],
    ['Stra\u00dfe', 'STRASSE'],
    ['no\u200brth', 'north'],
    ['site １', 'site 1'],
  ])('%s and %s are read as the same', (one, other) => expect(nameKey(one)).toBe(nameKey(other)))

  it.each([
    ['site 1', 'site 2'],
    ['site 1.1', 'site 11'],
    ['Zürich', 'Zurich'],
    ['north', 'north 2'],
    ['大学医院', '大学銀行'],
    ['क्लिनिक', 'क्लनक'],
  ])('%s and %s are not', (one, other) => expect(nameKey(one)).not.toBe(nameKey(other)))

  it('are kept in one form of Unicode, without spaces around them', () => {
    expect(schema.parse(' Klinik Mu\u0308nchen ')).toBe('Klinik M\u00fcnchen')
    expect(schema.parse('क्लिनिक 1')).toBe('क्लिनिक 1')
  })

  it.each(['', ' ', '-north', 'no\u200brth', '\u3164', 'a\ufe0f', 'a\u034f', 'north\nclinic', 'a'.repeat(81)])(
    'such as %j are refused',
    (name) => expect(schema.safeParse(name).success).toBe(false),
  )
})
