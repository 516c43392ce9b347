import { BATCH, type Dim, type GraphBuilder, ops, SEQUENCE, type Value } from '../../autodiff/index.ts'

/** Added to the score of a padded position; its softmax weight is then exactly zero in float32. */
const MASKED_SCORE = -1e9

/** As {@link attend}, for `qkv` [N, T, 3 * width] with queries, keys and values side by side. */
export function attention(g: GraphBuilder, qkv: Value, isToken: Value, heads: number): Value {
  const width = (qkv.shape.at(-1) as number) / 3
  const [queries, keys, values] = ops.split(g, qkv, -1, [width, width, width]) as [Value, Value, Value]
  return attend(g, { queries, keys, values }, isToken, heads)
}

/**
 * Scaled dot-product attention over heads, in which every query sees every token.
 *
 * Keys and values are [N, T, width], queries [N, T, width] or, of one place alone, [N, 1, width]; `isToken` is [N, T],
 * 1 at tokens and 0 at padding. Returns as many rows as there are queries. Padded positions receive no weight.
 */
export function attend(
  g: GraphBuilder,
  { queries, keys, values }: { readonly queries: Value; readonly keys: Value; readonly values: Value },
  isToken: Value,
  heads: number,
): Value {
  const [, rows, width] = queries.shape as [Dim, Dim, number]
  const headWidth = width / heads
  const apart = (part: Value) => ops.reshape(g, part, [BATCH, part.shape[1]!, heads, headWidth])
  const byHead = (part: Value) => ops.transpose(g, apart(part), [0, 2, 1, 3])
  const turned = ops.transpose(g, apart(keys), [0, 2, 3, 1])
  const scores = ops.matmul(g, ops.scale(g, byHead(queries), headWidth ** -0.5), turned)
  const padding = ops.scale(g, ops.sub(g, g.scalar(1), isToken), MASKED_SCORE)
  const masked = ops.add(g, scores, ops.reshape(g, padding, [BATCH, 1, 1, SEQUENCE]))
  const mixed = ops.matmul(g, ops.softmax(g, masked), byHead(values))
  return ops.reshape(g, ops.transpose(g, mixed, [0, 2, 1, 3]), [BATCH, rows, width])
}
