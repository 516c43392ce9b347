/** A piece of work for the main thread; where it goes on later, the promise says until when. */
export type Work = () => void | Promise<void>

/** Pieces that wait for their turn. An input that comes meanwhile waits for one of them at most. */
const waiting = new Set<Work>()
let isTaken = false

/** Does the work before one of the next pictures, one piece a picture. What waits already is not done twice. */
export function queueFrame(work: Work): void {
  waiting.add(work)
  ask()
}

/** Drops work whose result is not needed any more. */
export function giveUp(work: Work): void {
  waiting.delete(work)
}

function ask(): void {
  if (isTaken || waiting.size === 0) return
  isTaken = true
  requestAnimationFrame(() => void next())
}

async function next(): Promise<void> {
  const [work] = waiting
  try {
    if (work !== undefined) {
      waiting.delete(work)
      await work()
    }
  } finally {
    isTaken = false
    ask()
  }
}
