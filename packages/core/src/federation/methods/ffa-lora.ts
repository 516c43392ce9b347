import type { Method } from './method.ts'

/** FFA-LoRA (Sun et al. 2024, arXiv 2403.12313): A stays as it was drawn. The baseline. */
export const ffaLora: Method = { name: 'ffa-lora', next: ({ updated }) => updated }
