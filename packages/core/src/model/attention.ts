import { BATCH, type GraphBuilder, ops, SEQUENCE, type Value } from '../graph/index.ts'

/** Added to the score of a padded position; its softmax weight is then exactly zero in float32. */
const MASKED_SCORE = -1e9

/**
 * Scaled dot-product attention over heads.
 *
 * `qkv` is [N, T, 3 * width] with queries, keys and values side by side; `isToken` is [N, T], 1 at tokens and 0 at
 * padding. Returns [N, T, width]. Padded positions receive no weight.
 */
export function attention(g: GraphBuilder, qkv: Value, isToken: Value, heads: number): Value {
  const width = (qkv.shape.at(-1) as number) / 3
  const headWidth = width / heads
  const [queries, keys, values] = ops
    .split(g, qkv, -1, [width, width, width])
    .map((part) => ops.reshape(g, part, [BATCH, SEQUENCE, heads, headWidth])) as [Value, Value, Value]
  const byHead = (part: Value) => ops.transpose(g, part, [0, 2, 1, 3])
  const scores = ops.matmul(g, ops.scale(g, byHead(queries), headWidth ** -0.5), ops.transpose(g, keys, [0, 2, 3, 1]))
  const padding = ops.scale(g, ops.sub(g, g.scalar(1), isToken), MASKED_SCORE)
  const masked = ops.add(g, scores, ops.reshape(g, padding, [BATCH, 1, 1, SEQUENCE]))
  const mixed = ops.matmul(g, ops.softmax(g, masked), byHead(values))
  return ops.reshape(g, ops.transpose(g, mixed, [0, 2, 1, 3]), [BATCH, SEQUENCE, width])
}
