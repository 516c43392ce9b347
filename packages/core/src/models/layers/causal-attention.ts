import { BATCH, type GraphBuilder, ops, SEQUENCE, type Value } from '../../autodiff/index.ts'

/** Added to the score of a later position; its softmax weight is then exactly zero in float32. */
const MASKED_SCORE = -1e9

/**
 * Scaled dot-product attention in which a token sees itself and what came before.
 *
 * `queries` are [N, T, heads, headWidth], `keys` and `values` [N, T, keyValueHeads, headWidth]: consecutive groups of
 * heads / keyValueHeads query heads share one key-value head (grouped-query attention, Ainslie et al. 2023,
 * arXiv 2305.13245). Returns [N, T, heads * headWidth]. Padding after a record's last token is later than every token,
 * and so needs no mask of its own.
 */
export function causalAttention(g: GraphBuilder, queries: Value, keys: Value, values: Value, positions: Value): Value {
  const [, , heads, headWidth] = queries.shape as [string, string, number, number]
  const groups = heads / (keys.shape[2] as number)
  const byHead = (x: Value) => ops.transpose(g, x, [0, 2, 1, 3])
  const turned = ops.transpose(g, repeated(g, keys, groups), [0, 2, 3, 1])
  const scores = ops.matmul(g, ops.scale(g, byHead(queries), headWidth ** -0.5), turned)
  const weights = ops.softmax(g, ops.add(g, scores, laterMask(g, positions)))
  const mixed = ops.matmul(g, weights, byHead(repeated(g, values, groups)))
  return ops.reshape(g, byHead(mixed), [BATCH, SEQUENCE, heads * headWidth])
}

/** The positions 0 .. T - 1 as int32 [T], for token ids [N, T] of at most `maxTokens` places. */
export function positionsOf(g: GraphBuilder, tokenIds: Value, maxTokens: number): Value {
  return ops.firstRows(g, g.indices(Array.from({ length: maxTokens }, (_, index) => index)), tokenIds, 1)
}

/** [T, T]: zero where column <= row, {@link MASKED_SCORE} where the column is later. */
function laterMask(g: GraphBuilder, positions: Value): Value {
  const [rows, columns] = [ops.reshape(g, positions, [SEQUENCE, 1]), ops.reshape(g, positions, [1, SEQUENCE])]
  return ops.scale(g, ops.toFloat(g, ops.greater(g, columns, rows)), MASKED_SCORE)
}

/** Every head of [N, T, heads, headWidth] `times` times in a row. */
function repeated(g: GraphBuilder, x: Value, times: number): Value {
  if (times === 1) return x
  const [, , heads, headWidth] = x.shape as [string, string, number, number]
  const apart = ops.reshape(g, x, [BATCH, SEQUENCE, heads, 1, headWidth])
  const copies = ops.concat(
    g,
    Array.from({ length: times }, () => apart),
    3,
  )
  return ops.reshape(g, copies, [BATCH, SEQUENCE, heads * times, headWidth])
}
