import { FedsvdError } from '@fedsvd/core/errors'

/** More seeds than anybody runs; a larger number is a slip. */
const LARGEST = 1_000_000
const MOST = 1000

/** Reads numbers and ranges with commas between them: `1..5`, `7`, `1..3,10`. @throws FedsvdError CONFIG_INVALID */
export function parseSeeds(text: string): readonly number[] {
  const seeds = text.split(',').flatMap((part) => {
    const match = /^\s*(\d{1,7})(?:\.\.(\d{1,7}))?\s*$/.exec(part)
    const [from, to] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])]
    if (match === null || from < 1 || to < from || to > LARGEST || to - from >= MOST) throw invalid(text)
    return Array.from({ length: to - from + 1 }, (_, index) => from + index)
  })
  if (seeds.length > MOST || new Set(seeds).size < seeds.length) throw invalid(text)
  return seeds
}

function invalid(text: string): FedsvdError {
  return new FedsvdError('CONFIG_INVALID', {
    expected: `whole numbers from 1 to ${LARGEST}, each once and at most ${MOST} of them, such as 1..5 or 1,3,7..9`,
    got: text,
    remedy: 'Correct --seeds.',
  })
}
