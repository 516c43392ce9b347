import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ERROR_CATALOGUE } from '../../packages/core/src/errors.ts'
import {
  ACTIVATION_NAMES,
  ENCODER_DEFAULT_TARGETS,
  ENCODER_FAMILIES,
  type EncoderConfig,
  encoderHead,
} from '../../packages/core/src/models/index.ts'
import { EXPORT_FORMATS } from '../../packages/engine/src/settings/index.ts'
import { FLOAT_DTYPES } from '../../packages/engine/src/weights/safetensors/index.ts'

const read = (page: string) => readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8')
const page = read('reference/models.md')
const section = (title: string) => page.split(`## ${title}\n`)[1]!.split('\n## ')[0]!
const quoted = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name)
const rows = (text: string) =>
  text.split('\n').flatMap((line) => (line.startsWith('| `') ? [line.split(' | ').map((cell) => quoted(cell))] : []))

describe('the page of models', () => {
  const encoders = rows(section('Encoders'))

  it('has a row for each encoder that is supported, and no other', () => {
    expect(encoders.map(([type]) => type![0])).toEqual(Object.keys(ENCODER_FAMILIES))
  })

  it.each(Object.entries(ENCODER_FAMILIES))('says what %s adapts and which head it has', (type, family) => {
    const [, , targets, head] = encoders.find(([name]) => name![0] === type)!
    expect(targets).toEqual(ENCODER_DEFAULT_TARGETS[family])
    expect(head).toEqual(encoderHead({ family, width: 4 } as EncoderConfig, 2).specs.map(({ name }) => name))
  })

  it('names the activations, the element types and the formats of export', () => {
    const line = section('Encoders')
      .split('\n')
      .find((text) => text.startsWith('Activations:'))!
    expect(quoted(line.split('.')[0]!)).toEqual(ACTIVATION_NAMES)
    const types = section('Checkpoints')
      .split('\n')
      .find((text) => text.startsWith('| element types'))!
    expect(quoted(types)).toEqual(FLOAT_DTYPES)
    expect(rows(section('Exports')).map(([format]) => format![0])).toEqual([...EXPORT_FORMATS])
  })

  it('the tutorial quotes errors that exist', () => {
    const codes = [...read('tutorials/your-own-bert.md').matchAll(/`([A-Z]+_[A-Z_]+): /g)].map(([, code]) => code!)
    expect(codes.length).toBeGreaterThan(3)
    for (const code of codes) expect(ERROR_CATALOGUE).toHaveProperty(code)
  })
})
