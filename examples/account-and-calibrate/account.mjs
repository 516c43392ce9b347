// The accountant alone, without the engine or a network: node account.mjs
import { calibrateNoiseMultiplier, pld, rdp } from '@fedsvd/core/accounting'

const schedule = { sampleRate: 0.01, steps: 1000 }
const delta = 1e-5

const events = [{ ...schedule, noiseMultiplier: 1 }]
console.log(`PLD: epsilon at most ${pld.epsilonUpperBound(events, delta)}`)
console.log(`RDP: epsilon at most ${rdp.epsilonUpperBound(events, delta)}`)

const noise = calibrateNoiseMultiplier({ ...schedule, epsilon: 2, delta, accountant: pld })
console.log(`a budget of epsilon 2 pays for ${schedule.steps} steps with noise multiplier ${noise}`)
