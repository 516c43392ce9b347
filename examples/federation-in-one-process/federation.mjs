// A coordinator and three private sites in one process, on real e-mail: node federation.mjs
import { startFederation, writeStarterCorpus } from 'fedsvd'

const { holdOut, clients } = await writeStarterCorpus('federation/data')
const budget = { epsilon: 6, delta: 1e-5 }
const site = { budget, declaredRecords: 1200, releaseGrid: false }
const federation = await startFederation({
  folder: 'federation',
  coordinator: { holdOut, logLevel: 'warn' },
  sites: clients.map(({ name, file }) => ({ ...site, name, dataFile: file })),
})
const model = { name: 'starter', maxTokens: 32, featureScale: 10 }
const training = { rounds: 2, localSteps: 1, expectedLotSize: 32, clipNorm: 0.5, learningRate: 12, momentum: 0 }
const run = await federation.run({
  ...training,
  name: 'spam',
  method: 'fedsvd',
  model,
  labels: ['ham', 'spam'],
  target: budget,
  adapter: { rank: 8, alpha: 8, headMode: 'trained' },
  clientsPerRound: 3,
  quorum: 3,
  deadlineSeconds: 600,
  seed: 'example',
})
console.log(`accuracy ${run.rounds.at(-1)?.evaluation?.accuracy} after ${run.roundsDone} rounds`)
for (const client of run.clients) console.log(`${client.name}: epsilon at most ${client.epsilonUpperBound}`)
await federation.export(run.runId, 'federation/adapter')
await federation.close()
