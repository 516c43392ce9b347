/** The most steps, up to `most`, that `fits` holds for, where it holds for every number below one that it holds for. */
export async function mostSteps(most: number, fits: (steps: number) => Promise<boolean>): Promise<number> {
  if (await fits(most)) return most
  let [low, high] = [0, most]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (await fits(middle)) low = middle
    else high = middle
  }
  return low
}
