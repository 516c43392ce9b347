// @ts-check

/** A direction is kept while its singular value is at least this share of the layer's largest. */
const LEAST_SHARE = 0.01

/**
 * FedSVD that drops what noise has left in weak directions: after the re-factorisation, columns of B whose singular
 * value is below a hundredth of the layer's largest are set to zero. The rows of A stay, so these directions are
 * learned anew.
 *
 * @type {import('@fedsvd/engine/extensions').Extension}
 */
export default function truncated({ registerMethod }) {
  registerMethod({
    name: 'fedsvd-truncated',
    next({ refactorised, spectra }) {
      const b = refactorised.b.map((tensor, layer) => {
        const singularValues = spectra[layer] ?? new Float64Array()
        const rank = singularValues.length
        const least = LEAST_SHARE * (singularValues[0] ?? 0)
        const data = tensor.data.map((value, at) => ((singularValues[at % rank] ?? 0) < least ? 0 : value))
        return { ...tensor, data }
      })
      return { ...refactorised, b }
    },
  })
}
