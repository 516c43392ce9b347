import { chosen, seededSource } from '@fedsvd/core/random'
import { type RoundContext, type RunContext, RunOver, tooFewClients } from './context.ts'

/** Fixes who is asked in this round: by the run's public seed, among those that are there and can pay for it. */
export async function select({ run, round, book }: RoundContext): Promise<void> {
  if (book.progress === undefined) {
    const candidates = await gather(run, round)
    const { runId, seed } = run.manifest
    const { rounds: _, ...plan } = run.plan
    const clients = draw(seed, candidates, plan.clientsPerRound, round, 0)
    await book.dispatch({ type: 'selected', runId, round, clients, plan, at: run.clock.now() })
  }
  await run.begin()
}

/** `count` of the candidates, or all when there are fewer; the same for the same seed, round and wave. */
export function draw(
  seed: string,
  candidates: readonly string[],
  count: number,
  round: number,
  wave: number,
): readonly string[] {
  const source = seededSource(seed, 'select', round, wave)
  return chosen(source, [...candidates].sort(), Math.min(count, candidates.length))
}

/**
 * Waits for clients. The first round waits for as many as the run asks for, up to its deadline once a quorum is there;
 * later rounds wait for those that are known, but not long.
 */
async function gather(run: RunContext, round: number): Promise<readonly string[]> {
  let quorumSince: number | undefined
  for (;;) {
    run.signal.throwIfAborted()
    const { rounds, clientsPerRound, quorum, deadlineSeconds } = run.plan // it may change while the round waits
    if (round >= rounds) throw new RunOver(`the plan was shortened to ${rounds} rounds`, 'completed')
    const patience = round === 0 ? deadlineSeconds * 1000 : run.gatherMs
    const eligible = run.eligible()
    if (round > 0 && eligible.length < quorum) {
      throw tooFewClients(run, round, `${quorum}, ${eligible.length} can pay for it`)
    }
    const ready = eligible.filter((clientId) => run.isReady(clientId))
    const wanted = round === 0 ? clientsPerRound : Math.min(clientsPerRound, eligible.length)
    if (ready.length >= wanted) return ready
    const now = run.clock.now()
    quorumSince = ready.length >= quorum ? (quorumSince ?? now) : undefined
    if (quorumSince !== undefined && now >= quorumSince + patience) return ready
    await run.pulse.next(quorumSince === undefined ? undefined : quorumSince + patience)
  }
}
