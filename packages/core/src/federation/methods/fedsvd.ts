import type { Method } from './method.ts'

/** FedSVD (Lee et al. 2025, arXiv 2505.12805, algorithm 1): A <- V^T, B <- U S after each round. */
export const fedsvd: Method = { name: 'fedsvd', next: ({ refactorised }) => refactorised }
