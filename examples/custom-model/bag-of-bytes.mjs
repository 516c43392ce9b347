// @ts-check

const WIDTH = 32
const BYTES = 256
const LAYER = { name: 'mix', dIn: WIDTH, dOut: WIDTH }

/** Every side makes the same weights: whole numbers from a fixed start, between -1 and 1. */
const random = (() => {
  let state = 20_240_601
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 1_073_741_824 - 1
  }
})()

/** @param {string} name @param {readonly number[]} shape @param {number} scale */
function tensor(name, shape, scale) {
  const size = shape.reduce((product, dim) => product * dim, 1)
  return { name, shape, data: Float32Array.from({ length: size }, () => scale * random()) }
}

const table = tensor('embeddings', [BYTES, WIDTH], 1)
const checkpoint = new Map(
  [tensor('mix.weight', [WIDTH, WIDTH], 1), tensor('mix.bias', [WIDTH], 0)].map((one) => [one.name, one]),
)

/** A token is a byte of the text in UTF-8. @type {import('@fedsvd/engine/tokenizers').Tokenizer} */
const tokenizer = {
  vocabularySize: BYTES,
  encode: async (text, maxTokens) => {
    const bytes = new TextEncoder().encode(text || ' ')
    return Int32Array.from(bytes.subarray(0, maxTokens))
  },
}

/**
 * A model without a checkpoint: the mean of the embeddings of a text's bytes, one adapted linear layer, tanh, and a
 * head.
 *
 * @type {import('@fedsvd/engine/extensions').Extension}
 */
export default function bagOfBytes({ registerModel, loadModelKit }) {
  const parts = { name: 'bag-of-bytes', maxTokens: 512, vocabularySize: BYTES, layers: [LAYER], featureWidth: WIDTH }
  registerModel({
    name: parts.name,
    maxTokens: parts.maxTokens,
    adapterSchema: async (request) => (await loadModelKit()).classifierSchema(parts, request),
    loadTokenizer: async () => tokenizer,
    async createEngine(request, runtime) {
      const { BATCH, SEQUENCE, createClassifierEngine, linear, ops } = await loadModelKit()
      /** @type {import('@fedsvd/core/models').ClassifierModel['encode']} */
      const encode = (g, tokenIds, adapters) => {
        // Padding has a negative id, and weighs nothing in the mean.
        const isToken = ops.toFloat(g, ops.greaterOrEqual(g, tokenIds, ops.reshape(g, g.indices([0]), [])))
        const count = ops.max(g, ops.reduceSum(g, isToken, [1], true), g.scalar(1))
        const weights = ops.reshape(g, ops.div(g, isToken, count), [BATCH, 1, SEQUENCE])
        const embedded = ops.gatherRows(g, g.weight(table), tokenIds)
        const mean = ops.reshape(g, ops.matmul(g, weights, embedded), [BATCH, WIDTH])
        return ops.tanh(g, linear(g, mean, LAYER, checkpoint, adapters))
      }
      return await createClassifierEngine({ ...parts, encode }, request, runtime)
    },
  })
}
