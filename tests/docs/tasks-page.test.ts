import { readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { FedsvdError } from '../../packages/core/src/errors.ts'
import { type AdapterSchema, TASKS, type Task } from '../../packages/core/src/lora/index.ts'
import { DECODER_TYPES, ENCODER_FAMILIES } from '../../packages/core/src/models/index.ts'
import { requiredColumns } from '../../packages/engine/src/datasets/readers/columns.ts'
import { checkpointSchema } from '../../packages/engine/src/training/index.ts'
import { PEFT_TASK_TYPES } from '../../packages/engine/src/weights/peft/index.ts'

const ENCODER_SIZES = { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 12 }
const DISTILBERT_SIZES = { dim: 8, n_layers: 1, n_heads: 2, hidden_dim: 12, max_position_embeddings: 8 }
const GPT2_SIZES = { n_embd: 8, n_layer: 1, n_head: 2, n_positions: 8 }
/** Every family finds its own members. */
const SIZES = { vocab_size: 11, num_key_value_heads: 1, ...ENCODER_SIZES, ...DISTILBERT_SIZES, ...GPT2_SIZES }

/** The schema of a run, or undefined where the model refuses the task. */
function schemaFor(modelType: string, task: Task): AdapterSchema | undefined {
  const terms = { task, rank: 2, alpha: 2, headMode: 'trained', classes: 3 } as const
  try {
    return checkpointSchema({ model_type: modelType, ...SIZES }, terms)
  } catch (error) {
    if (error instanceof FedsvdError && error.code === 'CONFIG_INVALID') return undefined
    throw error
  }
}

const quoted = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(', ')
const endings = ({ layers }: AdapterSchema) => [...new Set(layers.map(({ name }) => name.split('.').at(-1)!))]

describe('the page on tasks', () => {
  let tables: string[][][]
  beforeAll(async () => {
    const page = await readFile(new URL('../../docs/reference/tasks.md', import.meta.url), 'utf8')
    const blocks = page.split('\n\n').filter((block) => block.startsWith('|'))
    tables = blocks.map((block) =>
      block
        .trim()
        .split('\n')
        .slice(2)
        .map((row) => row.slice(2, -2).split(' | ')),
    )
  })

  it('lists every task with the columns that its records need, and whether a run has labels', () => {
    const rows = tables[0]!.map(([task, columns, , labels]) => [task, columns, labels])
    expect(rows).toEqual(
      TASKS.map((task) => {
        const isHeadless = schemaFor('gpt2', task)!.head.length === 0
        return [`\`${task}\``, quoted(requiredColumns({}, task)), isHeadless ? 'none' : 'two or more']
      }),
    )
  })

  it('lists every kind of model with its tasks, its default layers and its heads', () => {
    const types = [...Object.keys(ENCODER_FAMILIES), ...DECODER_TYPES]
    expect(tables[1]).toEqual(
      types.map((type) => {
        const tasks = TASKS.filter((task) => schemaFor(type, task) !== undefined)
        const [ofLabels, ofTags] = [schemaFor(type, TASKS[0])!, schemaFor(type, TASKS[1])!]
        return [
          `\`${type}\``,
          tasks.length === TASKS.length ? 'all' : quoted(tasks),
          quoted(endings(ofLabels)),
          quoted(ofLabels.head.map(({ name }) => name)),
          quoted(ofTags.head.map(({ name }) => name)),
        ]
      }),
    )
  })

  it("lists PEFT's names", () => {
    expect(tables[2]).toEqual(TASKS.map((task) => [`\`${task}\``, `\`${PEFT_TASK_TYPES[task]}\``]))
  })
})
