import { describe, expect, it } from 'vitest'
import { initialState } from './initialise.ts'
import { initialisers, registerInitialiser } from './initialisers/initialisers.ts'
import type { AdapterSchema } from './schema.ts'
import { stateFromTensors, tensorsOfState } from './validate.ts'

const schema: AdapterSchema = {
  rank: 4,
  alpha: 4,
  headMode: 'frozen',
  layers: [
    { name: 'first', dIn: 300, dOut: 7 },
    { name: 'second', dIn: 300, dOut: 9 },
  ],
  head: [{ name: 'classifier.weight', shape: [50, 400] }],
}
const meanSquare = (values: Float32Array) => values.reduce((sum, value) => sum + value * value, 0) / values.length

describe('the initial state', () => {
  it('is a function of the seed, and each layer has values of its own', () => {
    expect(initialState(schema, { seed: 'one' })).toEqual(initialState(schema, { seed: 'one' }))
    expect(initialState(schema, { seed: 'one' }).a[0]).not.toEqual(initialState(schema, { seed: 'two' }).a[0])
    const { a } = initialState(schema, { seed: 'one' })
    expect(a[0]!.data).not.toEqual(a[1]!.data)
  })

  it('has orthonormal rows by default, and the variance 1 / (3 dIn) for kaiming', () => {
    const { data } = initialState(schema, { seed: 'one' }).a[0]!
    for (let left = 0; left < 4; left += 1) {
      for (let right = 0; right < 4; right += 1) {
        let product = 0
        for (let index = 0; index < 300; index += 1) product += data[left * 300 + index]! * data[right * 300 + index]!
        expect(product).toBeCloseTo(left === right ? 1 : 0, 6)
      }
    }
    const kaiming = initialState(schema, { seed: 'one', initialiser: 'kaiming' }).a[0]!
    expect(meanSquare(kaiming.data) * 3 * 300).toBeCloseTo(1, 0)
  })

  it('starts from the base model: B is zero; a trained head is zero, a frozen one is not', () => {
    const state = initialState(schema, { seed: 'one' })
    expect(state.b.every(({ data }) => data.every((value) => value === 0))).toBe(true)
    expect(meanSquare(state.head[0]!.data) * 400).toBeCloseTo(1, 1)
    expect(initialState({ ...schema, headMode: 'trained' }, { seed: 'one' }).head[0]!.data.some(Boolean)).toBe(false)
  })

  it('starts a head of two layers with one that lets gradients through, and with an output of zeros', () => {
    const deep = ['dense', 'out'].flatMap((name) => [
      { name: `${name}.weight`, shape: [name === 'out' ? 2 : 400, 400] },
      { name: `${name}.bias`, shape: [name === 'out' ? 2 : 400] },
    ])
    const { head } = initialState({ ...schema, head: deep, headMode: 'trained' }, { seed: 'one' })
    expect(meanSquare(head[0]!.data) * 400).toBeCloseTo(1, 1)
    for (const { data } of head.slice(1)) expect(data.some(Boolean)).toBe(false)
    expect(initialState({ ...schema, headMode: 'trained' }, { seed: 'one', head: head.slice(2) }).head).toEqual(
      head.slice(2),
    )
  })

  it.each([
    [{ ...schema, rank: 8 }, /a rank of at most 7 for layer first \(7 x 300\), got rank 8/],
    [{ ...schema, layers: [schema.layers[0]!, schema.layers[0]!] }, /each layer once, got first twice/],
    [{ ...schema, layers: [] }, /at least one adapted layer, got none/],
  ])('refuses a schema that nothing fits', (impossible, message) => {
    expect(() => initialState(impossible, { seed: 'one' })).toThrow(message)
  })

  it('is rebuilt from its tensors, and from those of its schema only', () => {
    const state = initialState(schema, { seed: 'one' })
    expect(stateFromTensors(schema, 0, tensorsOfState(state))).toEqual(state)
    expect(() => stateFromTensors({ ...schema, rank: 3 }, 0, tensorsOfState(state))).toThrow(/ADAPTER_INVALID/)
    expect(() => stateFromTensors(schema, 0, tensorsOfState(state).slice(1))).toThrow(/expected 5 tensors, got 4/)
  })
})

describe('an initialiser that is registered', () => {
  it('draws A of each layer from the public seed', () => {
    registerInitialiser({ name: 'doubled', draw: ({ normals }) => normals().map((value) => 2 * value) })
    expect(initialisers.names).toEqual(['orthonormal', 'kaiming', 'doubled'])
    const { a, b } = initialState(schema, { seed: 'one', initialiser: 'doubled' })
    expect(a.map(({ shape }) => shape)).toEqual([
      [4, 300],
      [4, 300],
    ])
    expect(meanSquare(a[0]!.data)).toBeCloseTo(4, 0)
    expect(a[0]!.data).not.toEqual(a[1]!.data)
    expect(initialState(schema, { seed: 'one', initialiser: 'doubled' }).a).toEqual(a)
    expect(b.every(({ data }) => data.every((value) => value === 0))).toBe(true)
  })

  it('may draw no other sizes, and no numbers that are none', () => {
    registerInitialiser({ name: 'short', draw: () => new Float32Array(3) })
    registerInitialiser({ name: 'nowhere', draw: ({ normals }) => normals().fill(Number.NaN) })
    expect(() => initialState(schema, { seed: 'one', initialiser: 'short' })).toThrow(
      /ADAPTER_INVALID: expected 1200 finite float32 values of A of first from the initialiser short, got 3/,
    )
    expect(() => initialState(schema, { seed: 'one', initialiser: 'nowhere' })).toThrow(
      /ADAPTER_INVALID.*not all finite/,
    )
    expect(() => initialState(schema, { seed: 'one', initialiser: 'kaimng' })).toThrow(/did you mean kaiming\?/)
  })
})
