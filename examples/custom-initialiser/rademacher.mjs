// @ts-check

/**
 * Rows of random signs, each scaled to length 1: every feature takes part in every direction with the same weight.
 *
 * @type {import('@fedsvd/engine/extensions').Extension}
 */
export default function rademacher({ registerInitialiser }) {
  registerInitialiser({
    name: 'rademacher',
    draw: ({ layer, normals }) => normals().map((value) => (value < 0 ? -1 : 1) / Math.sqrt(layer.dIn)),
  })
}
